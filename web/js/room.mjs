// How far a node may grow before it reaches the next one below.

const TITLE = 30  // pixels of a node's title, above its place
const GAP = 8
const FAR = 1000

/** The free pixels below a node, 0 where another is nearer than a gap. */
export function roomBelow(node) {
  const [left, top] = node.pos, [width, height] = node.size
  const bottom = top + height
  const below = (node.graph?.nodes ?? []).filter((other) => {
    const beside = other.pos[0] >= left + width || other.pos[0] + other.size[0] <= left
    return other !== node && !beside && other.pos[1] - TITLE >= top
  })
  const nearest = Math.min(FAR, ...below.map((other) => other.pos[1] - TITLE - GAP - bottom))
  return Math.max(nearest, 0)
}
