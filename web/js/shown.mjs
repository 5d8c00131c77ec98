// The card on our own nodes: made with the node, filled by a run or from what the workflow saved, told of progress.

import { Card, HEIGHT } from "./card.mjs"
import { noStep } from "./history.mjs"
import { api, app, nodeOf, setting, toast } from "./host.mjs"
import { follow as followNext, foretell, later } from "./foretold.mjs"
import { improve, improved, KIND } from "./improve.mjs"
import { LineCard } from "./line.mjs"
import { compact, payloadFrom } from "./payload.mjs"
import { finished, follow, priced, stoppedAt } from "./price.mjs"
import { progressFrom, progressWords } from "./progress.mjs"
import { KIND as LOAD, refreshLabels, showLabels } from "./record_labels.mjs"
import { showRecord } from "./record_shown.mjs"
import { roomFor } from "./room.mjs"
import { tidy, unfold } from "./seldom_used.mjs"
import { t } from "./texts.mjs"
import { titleButton } from "./title_button.mjs"
import { elsewhere, followRuns, keep as keepFor, waited } from "./whose_run.mjs"

const KEY = "stepdistill_shown"  // of node.properties; "stepdistill" there belongs to the swap
const NODES = new Set([
  "Distill", "Sigmas", "Sampler", "Apply", "Compare", "Load", "Save", "FromText", "Bake", "KSampler",
].map((name) => `StepDistill${name}`))
/** Nodes whose card tells of a run that is over, and how it says so. */
const LAST = new Map([[KIND, "card.lastPicture"], ...["Apply", "Sampler", "Sigmas"].map((name) => [`StepDistill${name}`, "card.lastRun"])])
const EMPTY = new Map([["StepDistillDistill", "card.emptyDistill"], ["StepDistillCompare", "card.emptyCompare"]])
const SMALL = new Set([KIND, "StepDistillSave"])  // one takes another node's place, the other has little to say
const WIDTH = 330
const OPENING = 300  // milliseconds until the page has said which workflow is open
let made = 0
const cards = new WeakMap()

export const hasCard = (type) => NODES.has(type)

/** The card of a node, made if it has none yet. */
export function addCard(node) {
  if (cards.has(node)) return cards.get(node)
  const first = priced(node.comfyClass) ? "error" : "schedule"
  const view = { plot: first, log: setting("LogScale", true) === true }
  let ready = false
  const small = SMALL.has(node.comfyClass)
  const changed = () => ready && fit(node, card)
  const last = LAST.get(node.comfyClass) ?? null
  const action = node.comfyClass === KIND ? { label: t("card.improve"), act: () => void improve([node]) } : null
  const card = small ? new LineCard(view, changed, last, action, (of) => roomFor(node, of)) : new Card(view, changed, last)
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => card.height, getValue: () => "", setValue() {} }
  // A name of its own: Vue nodes keep a loaded node's element where the next one has its id and names.
  const widget = node.addDOMWidget(`stepdistill_shown_${++made}`, "stepdistill", card.element, options)
  widget.serialize = false
  widget.computeLayoutSize ??= () => ({ minHeight: card.height, minWidth: 200 })
  card.widget = widget
  card.nothing = EMPTY.get(node.comfyClass) ?? "card.empty"
  card.titled = action && titleButton(node, "stepdistill_improve", action.label, action.act)
  cards.set(node, card)
  if (small) {
    hide(widget, true)
    tidy(node)
  } else {
    const more = HEIGHT.full - HEIGHT.empty  // from the first, so that no run moves anything
    node.setSize([Math.max(node.size[0], WIDTH), node.computeSize()[1] + more])
  }
  ready = true
  if (priced(node.comfyClass)) follow(node, card)
  if (node.comfyClass === KIND) {
    followNext(node)
    later()
  }
  if (node.comfyClass === LOAD) {
    showLabels(node)
    showRecord(node, card)
  }
  const removed = node.onRemoved
  node.onRemoved = function (...given) {
    card.watch.disconnect()
    return removed?.apply(this, given)
  }
  return card
}

/** A widget that takes no room. Vue nodes would never show it again: there its element folds (stepdistill.css). */
function hide(widget, hidden) {
  widget.hidden = hidden && !window.LiteGraph?.vueNodesMode
}

/** Make a node at least as tall as its widgets need; never smaller than the user made it. */
function fit(node, card) {
  const short = card instanceof LineCard
  if (short) hide(card.widget, card.empty)
  card.titled?.(card.empty && card.payload !== null)  // nowhere else to press
  requestAnimationFrame(() => {
    const [, least] = node.computeSize()
    const width = card.payload && !short ? Math.max(node.size[0], WIDTH) : node.size[0]
    if (least > node.size[1] + 1 || width > node.size[0]) noStep(node, () => node.setSize([width, Math.max(least, node.size[1])]))
    node.graph?.setDirtyCanvas?.(true, true)
  })
}

/** The page hands a run's output to the node of that id, of whatever workflow is open. */
export function executed(node, output) {
  if (!elsewhere()) ran(node, output)
}

/** A workflow has been opened: its cards show what its runs had to show meanwhile. */
export function opened() {
  setTimeout(() => {
    for (const [id, output] of waited()) {
      const node = nodeOf(id)
      if (node && cards.has(node)) ran(node, output)
    }
  }, OPENING)
}

/** What a run of the node has to show. */
function ran(node, output) {
  const payload = payloadFrom(output?.stepdistill?.[0])
  const card = cards.get(node)
  improved(node, output?.stepdistill?.[0]?.learning)
  finished(node)
  card?.stopped()
  card?.say("")
  if (!payload || !card) return
  card.show(payload)
  const { action } = output.stepdistill[0].learning ?? {}
  if (card instanceof LineCard && card.empty && action === "in_full") toast("info", node.title, payload.info)
  noStep(node, () => keep(node, payload))
}

function keep(node, payload) {
  if (setting("KeepPlots", true) === false) delete node.properties?.[KEY]
  else node.setProperty ? node.setProperty(KEY, compact(payload)) : (node.properties[KEY] = compact(payload))
}

/** Another kind of node stands in its place since: what it said is of no picture of it. */
export function forget(node) {
  delete node.properties?.[KEY]
  cards.get(node)?.show(null)
}

/** What the workflow saved. */
export function restore(node) {
  const card = cards.get(node), payload = payloadFrom(node.properties?.[KEY])
  unfold(node)
  if (card && payload) card.show(payload)
}

/** A picture's file carries the workflow that drew it, and not what the picture before it was drawn with. */
function withoutLast(workflow) {
  const told = (node) => LAST.has(node.type) && node.properties?.[KEY]
  const bare = (node) => (told(node) ? { ...node, properties: { ...node.properties, [KEY]: undefined } } : node)
  const all = (graph) => (Array.isArray(graph?.nodes) ? { ...graph, nodes: graph.nodes.map(bare) } : graph)
  const inner = workflow.definitions?.subgraphs
  if (!Array.isArray(inner)) return all(workflow)
  return { ...all(workflow), definitions: { ...workflow.definitions, subgraphs: inner.map(all) } }
}

function queueWithoutLast() {
  const queue = api.queuePrompt
  api.queuePrompt = function (number, data, ...rest) {
    const given = data?.workflow ? { ...data, workflow: withoutLast(data.workflow) } : data
    return queue.call(this, number, given, ...rest)
  }
}

/** Whether a node is as tall as it is for its line of words. */
export function grown(node) {
  const card = cards.get(node)
  return card instanceof LineCard && !card.empty
}

/** Follow the server's messages. */
export function listen() {
  queueWithoutLast()
  followRuns()
  foretell((node) => cards.get(node))
  const running = new Map()  // card: [its node, its last progress]
  const stop = () => {
    for (const card of running.keys()) card.stopped()
    running.clear()
  }
  const halted = () => {
    const halves = [...running].filter(([card, [node, { keeps, done }]]) => card.progress && keeps && done && priced(node.comfyClass))
    stop()
    for (const [card, [node, progress]] of halves) stoppedAt(node, card, progressWords({ ...progress, seconds: null }).calls)
  }
  api.addEventListener("stepdistill.progress", (event) => {
    const progress = progressFrom(event.detail)
    const node = progress && !elsewhere() && nodeOf(progress.node)
    const card = node && cards.get(node)
    if (!card) return
    running.set(card, [node, progress])
    if (progress.said) card instanceof LineCard ? card.say(progress.said) : card.planned(progress.said)
    if (progress.phase || !progress.said) card.running(progress)
  })
  api.addEventListener("stepdistill.ran", ({ detail }) => {
    const output = { stepdistill: [detail?.shown] }
    if (elsewhere()) return keepFor(detail?.node, output)
    const node = nodeOf(detail?.node)
    if (node && cards.has(node)) ran(node, output)
  })
  for (const name of ["execution_error", "execution_interrupted"]) api.addEventListener(name, halted)
  api.addEventListener("execution_success", stop)
  api.addEventListener("execution_success", () => void refreshLabels())
  api.addEventListener("executing", ({ detail }) => detail === null && stop())
}

/** Draw every card again: the theme or a setting is another. */
export function redraw(nodes) {
  for (const node of nodes) cards.get(node)?.render()
  app.canvas?.setDirty?.(true, true)
}
