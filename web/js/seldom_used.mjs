// What of a Few-Step KSampler is seldom wanted takes no row of it until then, so that it is no taller than the KSampler whose place it takes:
// its input for a record is there once the graph has a record to give, and its choice of a recipe once it is another than usual.

import { allNodes } from "./host.mjs"
import { KIND } from "./improve.mjs"

const INPUT = "record", TYPE = "RECORD"
const NEWEST = "newest", AS_SAVED = "as saved"
const usuals = new WeakMap()  // of what hides: widget: its usual value
const OPTIONAL = 7  // the shape of such a slot
const ROW_GAP = 4  // pixels that the page adds to each widget

/** Follow a node from its creation on: a Few-Step KSampler, or one that gives records. */
export function followRecords(node) {
  const few = node.comfyClass === KIND
  if (!few && !gives(node)) return
  if (few) without(node)
  const added = node.onAdded
  node.onAdded = function (graph, ...rest) {
    const answer = added?.call(this, graph, ...rest)
    offer(graph ?? this.graph)
    return answer
  }
}

const inVue = () => Boolean(window.LiteGraph?.vueNodesMode)
const gives = (node) => (node.outputs ?? []).some((output) => output.type === TYPE)
const slotOf = (node) => (node.inputs ?? []).findIndex((input) => input.name === INPUT)

function without(node) {
  const slot = slotOf(node)
  if (slot >= 0 && node.inputs[slot].link == null) node.removeInput(slot)
}

/** Give every Few-Step KSampler of a graph its input back, where something there could be linked to it. */
function offer(graph) {
  const nodes = graph?.nodes ?? graph?._nodes ?? []
  const outside = [...(graph?.inputs ?? [])].some((input) => input.type === TYPE)
  if (!outside && !nodes.some(gives)) return
  for (const node of nodes) if (node.comfyClass === KIND && slotOf(node) < 0) node.addInput(INPUT, TYPE, { shape: OPTIONAL })
}

/** The same in every graph of a workflow that has been opened: a subgraph may give a record, too. */
export const offerRecords = () => new Set(allNodes().map((node) => node.graph)).forEach(offer)

const recipeOf = (node) => node.widgets?.find((widget) => widget.name === "recipe")

/** What is seldom chosen hides until it is another than usual: classic nodes let it be shown (Show Advanced in their menu), Vue nodes would have
 * a row of their own for that. */
export function tidy(node) {
  for (const widget of node.widgets ?? []) if (widget.options?.advanced) fold(node, widget)
}

/** Vue nodes look at a widget when it has been configured. */
export function unfold(node) {
  for (const widget of node.widgets ?? []) if (usuals.has(widget)) place(widget)
}

function place(widget) {
  const seldom = widget.value === usuals.get(widget)
  widget.advanced = seldom && !inVue()
  widget.options.canvasOnly = seldom
}

/** Classic nodes keep an empty row for what is advanced, unless it is hidden as well; older pages also for that, unless it has no size. */
function fold(node, widget) {
  const usual = widget.value
  let own = widget.computeSize
  const folded = () => widget.value === usual && !node.showAdvanced
  const nothing = () => [0, -ROW_GAP]
  const told = (of, name, get, set = () => {}) => Object.defineProperty(of, name, { configurable: true, enumerable: true, get, set })
  delete widget.options.advanced
  usuals.set(widget, usual)
  place(widget)
  told(widget, "hidden", () => folded() && !inVue())
  told(widget, "computeSize", () => (folded() ? nothing : own), (given) => (own = given))
}

/** Whether a node draws with the newest recipe, though its workflow carries the one of a picture. */
export const drawsNewest = (node) => recipeOf(node)?.value === NEWEST

/** Draw with the newest recipe, or with the picture's own again. */
export function chooseRecipe(nodes, newest) {
  for (const node of nodes) {
    const widget = recipeOf(node)
    if (!widget) continue
    widget.value = newest ? NEWEST : AS_SAVED
    widget.callback?.(widget.value)
    unfold(node)
  }
}
