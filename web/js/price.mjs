// What Distill Schedule will cost as its widgets stand, on its card before it is run; or what it lacks, where it cannot run.

import { api, ask } from "./host.mjs"
import { missing } from "./missing.mjs"

const ASKED = ["sampler_name", "max_steps", "quality", "measure"]
const PAUSE = 250  // milliseconds: a number that is dragged changes many times

/** Keep the card of a Distill Schedule node told of its price. */
export function follow(node, card) {
  let waiting = null
  const later = () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => tell(node, card), PAUSE)
  }
  for (const widget of node.widgets ?? []) {
    if (!ASKED.includes(widget.name)) continue
    const before = widget.callback
    widget.callback = function (...given) {
      later()
      return before?.apply(this, given)
    }
  }
  const connected = node.onConnectionsChange
  node.onConnectionsChange = function (...given) {
    later()
    return connected?.apply(this, given)
  }
  const graphChanged = () => (node.graph ? later() : null)  // a loader's file, further up
  api.addEventListener("graphChanged", graphChanged)
  const removed = node.onRemoved
  node.onRemoved = function (...given) {
    api.removeEventListener("graphChanged", graphChanged)
    return removed?.apply(this, given)
  }
  later()
}

async function tell(node, card) {
  const values = ASKED.map((name) => [name, node.widgets?.find((widget) => widget.name === name)?.value])
  if (values.some(([, value]) => value === undefined)) return
  const lacks = missing(node)
  if (lacks) return card.say(lacks)
  try {
    const { text } = await ask(`price?${new URLSearchParams(values.map(([name, value]) => [name, String(value)]))}`)
    card.say(text)
  } catch (problem) {
    card.say(problem.message)
  }
}
