// The store as a side panel: list, search, details with the plot, import, export, remove.

import { Card } from "./card.mjs"
import { recordWords, sure } from "./dialogs.mjs"
import { followTheme, make } from "./dom.mjs"
import { addLoad, refuseLarge } from "./drop.mjs"
import { api, app, ask, toast } from "./host.mjs"
import { improve } from "./improve.mjs"
import { payloadFrom } from "./payload.mjs"
import { refreshLabels } from "./record_labels.mjs"
import { LARGEST } from "./recordfile.mjs"
import { SourceList } from "./sources.mjs"
import { counted, t } from "./texts.mjs"

const ID = "stepdistill"
let shown = null

/** Add the tab to the page's side bar. */
export function addPanel() {
  app.extensionManager?.registerSidebarTab?.({
    id: ID, icon: "pi pi-chart-line", title: t("panel.title"), tooltip: t("panel.tooltip"), type: "custom",
    render: (element) => (shown = new Panel(element)),
    destroy: () => (shown = null),
  })
  api.addEventListener("execution_success", () => shown?.root.isConnected && shown.refresh())
}

/** Open the panel. */
export function openPanel() {
  const tabs = app.extensionManager?.sidebarTab
  if (tabs?.activeSidebarTabId !== ID) tabs?.toggleSidebarTab?.(ID)
}

class Panel {
  constructor(element) {
    this.records = []
    this.chosen = null
    this.query = make(
      "input", { type: "search", placeholder: t("panel.search"), "aria-label": t("panel.search"), oninput: () => this.list() },
    )
    this.rows = make("div", { class: "sd-list", role: "listbox", "aria-label": t("panel.title") })
    this.details = make("div", { class: "sd-details" })
    this.picker = make(
      "input",
      { type: "file", accept: ".json,application/json", style: "display:none", onchange: () => this.importFiles(this.picker.files) },
    )
    const tools = make(
      "div", { class: "sd-tools" }, button("panel.import", () => this.picker.click()), button("panel.refresh", () => this.refresh()),
      button("panel.improve", () => void improve(null)),
      this.picker,
    )
    this.sources = new SourceList()
    const parts = [make("h2", {}, t("panel.title")), this.query, tools, this.rows, this.sources.element, this.details]
    this.root = make("div", { class: "sd-panel" }, ...parts)
    followTheme(this.root)
    this.takeDrops()
    element.style.height = "100%"  // or a long list would be as tall as itself, and what is chosen lie below it
    element.replaceChildren(this.root)
    this.refresh()
  }

  /** Ask the server again. */
  async refresh() {
    void this.sources.refresh()
    void refreshLabels()
    try {
      const answer = await ask("records")
      this.records = answer.records
      this.problems = answer.problems
      this.count = answer.count
    } catch (problem) {
      this.records = []
      toast("error", t("panel.failed"), problem.message)
    }
    this.list()
    if (!this.records.some((record) => record.name === this.chosen)) this.choose(null)
  }

  list() {
    const words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean)
    const text = (record) => `${record.title} ${record.name} ${recordWords(record)}`.toLowerCase()
    const found = this.records.filter((record) => words.every((word) => text(record).includes(word)))
    const row = (record) => make("button", {
      type: "button", class: "sd-item", role: "option", "aria-selected": String(record.name === this.chosen), title: record.name,
      onclick: () => this.choose(record.name),
    }, record.title || record.name, make("small", {}, recordWords(record)))
    const rows = found.slice(0, 300).map(row)
    const none = t(this.records.length ? "panel.noMatch" : "panel.none")
    const said = found.length > 300 ? t("panel.more", { count: found.length - 300 }) : found.length ? null : none
    const broken = (this.problems ?? []).map(([name, reason]) => make("div", { class: "sd-quiet" }, t("panel.broken", { name, reason })))
    this.rows.replaceChildren(...rows, ...(said ? [make("div", { class: "sd-quiet" }, said)] : []), ...broken)
  }

  /** Show one record's details. */
  async choose(name) {
    this.chosen = name
    this.list()
    if (name === null) return this.details.replaceChildren()
    try {
      const found = await ask(`record?name=${encodeURIComponent(name)}`)
      if (this.chosen === name) this.show(name, found)
    } catch (problem) {
      this.details.replaceChildren(make("p", {}, problem.message))
    }
  }

  show(name, found) {
    const card = new Card({ plot: "error", log: true })
    const draw = (details) => card.show(payloadFrom({ ...details.shown, info: "" }))
    const samplers = make("select", { "aria-label": t("panel.sampler") }), steps = make("select", { "aria-label": t("panel.stepsLabel") })
    const fill = (select, values, chosen) => {
      select.replaceChildren(...values.map(([value, label]) => make("option", { value }, label)))
      select.value = String(chosen)
    }
    const counts = () => found.samplers[samplers.value].map((count) => [count, counted("plot.count", count)])
    fill(samplers, Object.keys(found.samplers).map((each) => [each, each]), found.shown.sampler)
    fill(steps, counts(), found.shown.steps)
    const again = async () => draw(await ask(`record?${new URLSearchParams({ name, sampler: samplers.value, steps: steps.value })}`))
    samplers.onchange = () => {
      fill(steps, counts(), counts()[Math.floor(counts().length / 2)][0])
      again()
    }
    steps.onchange = again
    const tools = make(
      "div", { class: "sd-tools" }, button("panel.add", () => addLoad(name)), button("panel.export", () => this.save(name)),
      button("panel.remove", () => this.remove(name)),
    )
    this.details.replaceChildren(tools, make("div", { class: "sd-tools" }, samplers, steps), card.element, facts(found.about))
    draw(found)
  }

  /** Hand the record's file to the browser. */
  async save(name) {
    const file = await ask(`file?name=${encodeURIComponent(name)}`)
    const address = URL.createObjectURL(new Blob([file.text], { type: "application/json" }))
    make("a", { href: address, download: file.name }).click()
    setTimeout(() => URL.revokeObjectURL(address), 1000)
  }

  async remove(name) {
    const record = this.records.find((each) => each.name === name)
    if (!record) return
    const about = { name: record.title || name, what: recordWords(record), file: `${name}.json` }
    if (!(await sure(t("panel.removeTitle"), t("panel.removeText", about), t("panel.removeNow")))) return
    try {
      await ask("remove", { name })
    } catch (problem) {
      toast("error", t("panel.failed"), problem.message)
    }
    this.refresh()
  }

  async importFiles(files) {
    for (const file of files) {
      if (file.size > LARGEST) refuseLarge(file)
      else
        try {
          const { name, note } = await ask("keep", { text: await file.text() })
          toast("success", t("panel.imported"), `${name} ${note}`)
          this.chosen = name
        } catch (problem) {
          toast("error", t("drop.refused"), problem.message)
        }
    }
    this.picker.value = ""
    await this.refresh()
    if (this.chosen) this.choose(this.chosen)
  }

  /** Files that are dropped on the panel are imported without asking. */
  takeDrops() {
    const over = (on) => (event) => {
      event.preventDefault()
      this.root.classList.toggle("sd-drop", on)
    }
    this.root.addEventListener("dragover", over(true))
    this.root.addEventListener("dragleave", over(false))
    this.root.addEventListener("drop", (event) => {
      over(false)(event)
      event.stopPropagation()
      this.importFiles([...event.dataTransfer.files])
    })
  }
}

/** A record in words: lines "Name: value" as a table, the rest as they are. */
function facts(text) {
  const rows = text.split("\n").map((line) => /^(\w+): +(.*)$/.exec(line)?.slice(1) ?? ["", line])
  return make(
    "dl", { class: "sd-facts" },
    ...rows.flatMap(([name, value]) => (name ? [make("dt", {}, name), make("dd", {}, value)] : [make("dd", { class: "sd-wide" }, value)])),
  )
}

const button = (key, act) => make("button", { type: "button", class: "sd-plain", onclick: act }, t(key))
