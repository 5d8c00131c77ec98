// The card of a Load Record node: the record that its list names, as soon as it is chosen.

import { onChange } from "./changes.mjs"
import { ask } from "./host.mjs"
import { payloadFrom } from "./payload.mjs"

/** Show on the card what is chosen, at every change of it: not over what a workflow was saved with. What the store does not have shows
 * after a run. */
export function showRecord(node, card) {
  let last = null
  onChange(node, async () => {
    const name = chosen(node), first = last === null
    if (name === last) return
    last = name
    const shown = await ask(`record?name=${encodeURIComponent(name)}`).then((found) => ({ ...found.shown, info: found.about }), () => null)
    if (chosen(node) === name && !(first && card.payload)) card.show(payloadFrom(shown))
  })
}

const chosen = (node) => String(node.widgets?.find((each) => each.name === "name")?.value ?? "")
