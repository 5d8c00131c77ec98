import assert from "node:assert/strict"
import { test } from "node:test"
import { freePlace } from "../../web/js/place.mjs"

const node = (x, y, width = 200, height = 300) => ({ pos: [x, y], size: [width, height] })
const apart = ([x, y], [width, height], others) =>
  others.every(({ pos, size }) => x >= pos[0] + size[0] || x + width <= pos[0] || y - 30 >= pos[1] + size[1] || y + height <= pos[1] - 30)

test("a place that is free is taken", () => {
  assert.deepEqual(freePlace([10, 20], [100, 50], []), [10, 20])
  assert.deepEqual(freePlace([300, 20], [100, 50], [node(0, 0)]), [300, 20])
})

test("on a node it goes beside it, not far", () => {
  assert.deepEqual(freePlace([150, 50], [100, 50], [node(0, 0)]), [220, 50])
})

test("among many it lies on none", () => {
  const others = Array.from({ length: 40 }, (_, k) => node(150 * (k % 8), 200 * Math.floor(k / 8), 140, 150))
  const place = freePlace([500, 400], [330, 270], others)
  assert.ok(apart(place, [330, 270], others))
})
