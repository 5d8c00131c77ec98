// How far a node may grow before it reaches the next one below.

const TITLE = 30  // pixels of a node's title, above its place
const GAP = 8
const FAR = 1000

/** The pixels that there are for a node's last widget, a line card, until the node reaches the next below. */
export function roomFor(node, card) {
  if (!card.widget) return 0
  if (window.LiteGraph?.vueNodesMode) return roomBelow(node) + card.laid
  const others = node.computeSize()[1] - (card.widget.hidden ? 0 : card.height)
  return Math.max(roomBelow(node) + node.size[1] - others, 0)
}

/** The pixels between a node and the next below, less a gap; below 0 where they touch. */
function roomBelow(node) {
  const [left, top] = node.pos, [width, height] = node.size
  const bottom = top + height
  const below = (node.graph?.nodes ?? []).filter((other) => {
    const beside = other.pos[0] >= left + width || other.pos[0] + other.size[0] <= left
    return other !== node && !beside && other.pos[1] - TITLE >= top
  })
  return Math.min(FAR, ...below.map((other) => other.pos[1] - TITLE - GAP - bottom))
}
