// The card on our own nodes: made with the node, filled by a run or from what the workflow saved, told of progress.

import { Card, HEIGHT } from "./card.mjs"
import { api, app, nodeOf, setting } from "./host.mjs"
import { compact, payloadFrom } from "./payload.mjs"
import { follow } from "./price.mjs"
import { progressFrom } from "./progress.mjs"

const KEY = "stepdistill_shown"  // of node.properties; "stepdistill" there belongs to the swap
const NODES = new Set([
  "Distill", "Sigmas", "Sampler", "Apply", "Compare", "Load", "Save", "FromText", "Bake", "KSampler",
].map((name) => `StepDistill${name}`))
const SMALL = new Set(["StepDistillKSampler"])  // they take another node's place: words alone
const WIDTH = 330
let made = 0
const cards = new WeakMap()

export const hasCard = (type) => NODES.has(type)

/** The card of a node, made if it has none yet. */
export function addCard(node) {
  if (cards.has(node)) return cards.get(node)
  const first = node.comfyClass === "StepDistillDistill" || node.comfyClass === "StepDistillCompare" ? "error" : "schedule"
  const view = { plot: first, log: setting("LogScale", true) === true }
  let ready = false
  const small = SMALL.has(node.comfyClass)
  const card = new Card(view, () => ready && fit(node, card), small)
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => card.height, getValue: () => "", setValue() {} }
  // A name of its own: Vue nodes keep a loaded node's element where the next one has its id and names.
  const widget = node.addDOMWidget(`stepdistill_shown_${++made}`, "stepdistill", card.element, options)
  widget.serialize = false
  widget.computeLayoutSize ??= () => ({ minHeight: card.height, minWidth: 200 })
  cards.set(node, card)
  const more = small ? 0 : HEIGHT.full - HEIGHT.empty  // from the first, so that no run moves anything
  const room = Math.max(node.computeSize()[1] + more, small ? node.size[1] : 0)
  node.setSize([small ? node.size[0] : Math.max(node.size[0], WIDTH), room])
  ready = true
  if (node.comfyClass === "StepDistillDistill") follow(node, card)
  const removed = node.onRemoved
  node.onRemoved = function (...given) {
    card.watch.disconnect()
    return removed?.apply(this, given)
  }
  return card
}

/** Make a node at least as tall as its widgets need; never smaller than the user made it. */
function fit(node, card) {
  requestAnimationFrame(() => {
    const [, least] = node.computeSize()
    const width = card.payload && !card.small ? Math.max(node.size[0], WIDTH) : node.size[0]
    if (least > node.size[1] + 1 || width > node.size[0]) node.setSize([width, Math.max(least, node.size[1])])
    node.graph?.setDirtyCanvas?.(true, true)
  })
}

/** What a run of the node has to show. */
export function ran(node, output) {
  const payload = payloadFrom(output?.stepdistill?.[0])
  const card = cards.get(node)
  card?.running(null)
  card?.say("")
  if (!payload || !card) return
  card.show(payload)
  if (setting("KeepPlots", true) === false) delete node.properties?.[KEY]
  else node.setProperty ? node.setProperty(KEY, compact(payload)) : (node.properties[KEY] = compact(payload))
}

/** What the workflow saved. */
export function restore(node) {
  const card = cards.get(node), payload = payloadFrom(node.properties?.[KEY])
  if (card && payload) card.show(payload)
}

/** Follow the server's messages. */
export function listen() {
  const running = new Set()
  const stop = () => {
    for (const card of running) card.running(null)
    running.clear()
  }
  api.addEventListener("stepdistill.progress", (event) => {
    const progress = progressFrom(event.detail)
    const card = progress && cards.get(nodeOf(progress.node) ?? {})
    if (!card) return
    running.add(card)
    card.running(progress)
  })
  for (const name of ["execution_error", "execution_interrupted", "execution_success"]) api.addEventListener(name, stop)
  api.addEventListener("executing", ({ detail }) => detail === null && stop())
}

/** Draw every card again: the theme or a setting is another. */
export function redraw(nodes) {
  for (const node of nodes) cards.get(node)?.render()
  app.canvas?.setDirty?.(true, true)
}
