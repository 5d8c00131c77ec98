// Our settings, under the pack's own section. nodes/settings.py reads the ones that the server needs.

const SECTION = "StepDistill"

/** The settings as the host registers them; their words come from locales/<language>/settings.json where there are any. */
export function settings() {
  return [
    {
      id: "StepDistill.Dropdowns", category: [SECTION, "Server", "Dropdowns"], type: "boolean", defaultValue: true,
      name: "Add 'distilled' to the scheduler and sampler dropdowns",
      tooltip: "Off: the two entries are left out of every dropdown. Takes effect when ComfyUI is started again.",
    },
    {
      id: "StepDistill.LogScale", category: [SECTION, "Plots", "LogScale"], type: "boolean", defaultValue: true,
      name: "Draw plots on a logarithmic scale at first",
      tooltip: "Every plot has a switch of its own too.",
    },
    {
      id: "StepDistill.KeepPlots", category: [SECTION, "Plots", "KeepPlots"], type: "boolean", defaultValue: true,
      name: "Keep the plots inside the workflow",
      tooltip: "A saved workflow then shows them without being run. A few kilobytes a node.",
    },
  ]
}
