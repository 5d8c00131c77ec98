// What Distill Schedule and Compare Schedules will cost as their widgets stand, on their cards before they are run; or what they lack, where
// they cannot run; and what a run that was stopped has kept.

import { onChange } from "./changes.mjs"
import { api, ask } from "./host.mjs"
import { missing } from "./missing.mjs"
import { t } from "./texts.mjs"

const ASKED = new Map([
  ["StepDistillDistill", ["sampler_name", "max_steps", "quality", "measure", "again"]],
  ["StepDistillCompare", ["sampler_name", "schedulers", "steps", "seeds"]],
])
export const priced = (type) => ASKED.has(type)
const kept = new WeakMap()  // node: {calls, settings} of a run that was stopped
const PAUSE = 250  // milliseconds: a number that is dragged changes many times

const settings = (node) => JSON.stringify([(node.widgets ?? []).map(({ value }) => (typeof value === "object" ? null : value)), (node.inputs ?? []).map(({ link }) => link ?? null)])

/** A run was stopped that keeps what is finished. calls: in words. */
export function stoppedAt(node, card, calls) {
  kept.set(node, { calls, settings: settings(node) })
  tell(node, card)
}

/** A run came to its end: nothing waits. */
export const finished = (node) => kept.delete(node)

/** Keep the card of such a node told of its price. */
export function follow(node, card) {
  let waiting = null
  const later = () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => tell(node, card), PAUSE)
  }
  onChange(node, later)
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
  const stopped = kept.get(node)
  if (stopped?.settings === settings(node)) return card.say(t("card.kept", { calls: stopped.calls }))
  const values = ASKED.get(node.comfyClass).map((name) => [name, node.widgets?.find((widget) => widget.name === name)?.value])
  if (values.some(([, value]) => value === undefined)) return
  const lacks = missing(node)
  if (lacks) return card.say(lacks)
  try {
    const more = node.comfyClass === "StepDistillCompare" ? [["of", "compare"], ["second", String(linked(node, "second_model"))]] : []
    const { text } = await ask(`price?${new URLSearchParams([...more, ...values.map(([name, value]) => [name, String(value)])])}`)
    card.say(text)
  } catch (problem) {
    card.say(problem.message)
  }
}

const linked = (node, name) => (node.inputs ?? []).some((input) => input.name === name && input.link != null)
