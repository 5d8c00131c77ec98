import assert from "node:assert/strict"
import { test } from "node:test"
import { figures, linear, logarithmic, logTicks, ticks } from "../../web/js/scales.mjs"

test("axes meet their ends", () => {
  const x = linear(0, 10, 100, 200), y = logarithmic(0.01, 100, 0, 4)
  assert.deepEqual([x(0), x(5), x(10)], [100, 150, 200])
  assert.ok(Math.abs(y(1) - 2) < 1e-12)
  assert.equal(linear(3, 3, 0, 1)(3), 0)
})

test("ticks are round, inside and few", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
  assert.deepEqual(ticks(4, 12, 4), [4, 6, 8, 10, 12])
  for (const [low, high] of [[0, 14.6], [0.001, 0.0013], [1, 1], [0, 1e-9], [5, 80]]) {
    const found = ticks(low, high, 5)
    assert.ok(found.length >= 1 && found.length <= 12 && found.every((value) => value >= low - 1e-12 && value <= high * 1.0001))
  }
})

test("logarithmic ticks cover any range", () => {
  assert.deepEqual(logTicks(0.01, 1, 3), [0.01, 0.1, 1])
  for (const [low, high] of [[0.002, 14.6], [0.9, 1.1], [1e-9, 1e9], [0.0312, 0.0313]]) {
    const found = logTicks(low, high, 5)
    assert.ok(found.length >= 1 && found.length <= 8, `${low} to ${high}: ${found}`)
  }
})

test("numbers in four figures", () => {
  assert.deepEqual([0, 0.03123456, 14.6146, 1234.5, 0.00001234].map(figures), ["0", "0.03123", "14.61", "1,235", "1.2e-5"])
})
