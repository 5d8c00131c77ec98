// What the next picture of every Few-Step KSampler will be, on its card while nothing runs: asked of the server with the prompt as it would be
// queued, whenever something changed.

import { onChange } from "./changes.mjs"
import { allNodes, api, app, ask, rootGraph, runIds } from "./host.mjs"
import { KIND } from "./improve.mjs"

const PAUSE = 400  // milliseconds: a number that is dragged changes many times
let waiting = null, runs = false, cardOf = () => null

/** cards(node): the card of a node. */
export function foretell(cards) {
  cardOf = cards
  api.addEventListener("graphChanged", later)
  api.addEventListener("execution_start", () => {
    runs = true
    for (const node of followed()) cardOf(node).next("")  // what was said is of the picture that is drawn now
  })
  for (const name of ["execution_success", "execution_interrupted", "execution_error"]) api.addEventListener(name, () => {
    runs = false
    later()
  })
}

const followed = () => allNodes().filter((node) => node.type === KIND && cardOf(node))

/** Ask anew, presently. */
export function later() {
  clearTimeout(waiting)
  waiting = setTimeout(() => void tell(), PAUSE)
}

/** Have a node's widgets and links ask anew: of any node, as a loader far from the sampler may change its picture. */
export const follow = (node) => onChange(node, later)

/** A workflow from a picture draws with what it carries. */
export const carries = () => Object.keys(rootGraph()?.extra ?? {}).some((name) => name.startsWith("stepdistill"))

async function tell() {
  const nodes = followed()
  if (!nodes.length || runs) return
  const said = carries() ? {} : await answers(nodes)
  if (runs) return  // what was known before it
  for (const node of nodes) {
    const texts = new Set(runIds(node).map((id) => said[id] ?? ""))  // of a subgraph that stands in several places
    cardOf(node).next(texts.size === 1 ? [...texts][0] : "")
  }
}

async function answers(nodes) {
  try {
    const { output } = await app.graphToPrompt()
    return (await ask("foretold", { prompt: output, nodes: nodes.flatMap((node) => runIds(node)) })).nodes
  } catch {  // a graph that is not whole: nothing is known of its next picture
    return {}
  }
}
