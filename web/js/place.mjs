// Where a new node lies on none of those that are there.

const TITLE = 30, GAP = 20  // pixels of a node's title, above its place; and between nodes

/** The free place that is nearest to a wished one, for a node of a size among others ({pos, size}): there, or beside, below or above one of them. */
export function freePlace(wished, size, others) {
  const boxes = others.map(({ pos, size: [width, height] }) => ({ left: pos[0], top: pos[1] - TITLE, right: pos[0] + width, bottom: pos[1] + height }))
  const free = ([x, y]) => boxes.every((box) => x >= box.right + GAP || x + size[0] + GAP <= box.left || y - TITLE >= box.bottom + GAP || y + size[1] + GAP <= box.top)
  const across = [wished[0], ...boxes.flatMap((box) => [box.right + GAP, box.left - GAP - size[0]])]
  const down = [wished[1], ...boxes.flatMap((box) => [box.bottom + GAP + TITLE, box.top - GAP - size[1]])]
  const far = ([x, y]) => Math.hypot(x - wished[0], y - wished[1])
  const places = across.flatMap((x) => down.map((y) => [x, y])).sort((one, other) => far(one) - far(other))
  return places.find(free)
}
