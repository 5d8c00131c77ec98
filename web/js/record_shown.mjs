// The card of a Load Record node: the record that its list names, as soon as it is chosen.

import { onChange } from "./changes.mjs"
import { ask } from "./host.mjs"
import { payloadFrom } from "./payload.mjs"

/** Show on the card what is chosen, at every change of it. What the store does not have shows after a run. */
export function showRecord(node, card) {
  onChange(node, async () => {
    const name = chosen(node)
    const shown = await ask(`record?name=${encodeURIComponent(name)}`).then((found) => ({ ...found.shown, info: found.about }), () => null)
    if (chosen(node) === name) card.show(payloadFrom(shown))
  })
}

const chosen = (node) => String(node.widgets?.find((each) => each.name === "name")?.value ?? "")
