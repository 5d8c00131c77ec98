// Load Record's list in words that an artist knows (model, cfg, size, steps, date). What is stored, and saved in workflows, stays the
// record's name.

import { allNodes, app, ask } from "./host.mjs"

const EDGE = 40  // pixels at both ends of a widget where its arrows are
export const KIND = "StepDistillLoad"
let labels = {}, asking = null

/** What a record is called in the list; a name that the store does not have stays as it is. */
export const labelOf = (name) => labels[name] ?? String(name ?? "")

/** Ask the server again, as the store may have changed; several calls at once are one. */
export function refreshLabels() {
  asking ??= ask("labels").then(take).catch(() => {}).finally(() => {
    asking = null
    app.canvas?.setDirty?.(true, true)
  })
  return asking
}

/** What the server answered: every list shows the store as it is now. */
function take({ labels: told, names }) {
  labels = told
  if (!Array.isArray(names)) return
  const spec = window.LiteGraph?.registered_node_types?.[KIND]?.nodeData?.input?.required?.name
  if (Array.isArray(spec?.[0])) spec[0] = names  // of nodes that are added later
  for (const node of allNodes()) if (node.type === KIND) list(nameOf(node), names)
}

function list(widget, names) {
  if (!widget || typeof widget.options.values === "function") return
  const nothing = String(widget.value).startsWith("(")  // said in the place of a name, while there was none
  widget.options.values = names
  if (nothing && !names.includes(widget.value)) widget.value = names[0]
}

const nameOf = (node) => node.widgets?.find((each) => each.name === "name")

/** Let the list of a Load Record node show labels. */
export function showLabels(node) {
  const widget = nameOf(node)
  if (!widget) return
  widget.options.getOptionLabel = (name) => labelOf(name)
  const kind = Object.getPrototypeOf(widget)
  if (!String(kind.onClick ?? "").includes("getOptionLabel")) older(widget)
  void refreshLabels()
}

/** Pages before about 1.30 show a value as it is, and list it so. */
function older(widget) {
  Object.defineProperty(widget, "_displayValue", { configurable: true, get: () => labelOf(widget.value) })
  const usual = widget.onClick
  widget.onClick = function (options) {
    const { e, node, canvas } = options
    const x = e.canvasX - node.pos[0], width = this.width || node.size[0]
    if (x < EDGE || x > width - EDGE) return usual.call(this, options)
    const names = [].concat(typeof this.options.values === "function" ? this.options.values(this, node) : this.options.values)
    const items = names.map((name) => ({ content: labelOf(name), callback: () => this.setValue(name, { e, node, canvas }) }))
    new window.LiteGraph.ContextMenu(items, { scale: Math.max(1, canvas.ds.scale), event: e, className: "dark" })
  }
}
