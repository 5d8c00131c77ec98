import assert from "node:assert/strict"
import { test } from "node:test"
import { compact, payloadFrom } from "../../web/js/payload.mjs"

const good = {
  sampler: "euler", steps: 3, sigmas: [1, 0.5, 0.2, 0], stock: { name: "simple", sigmas: [1, 0.6, 0.3, 0] }, offsets: false, choice: "ours", won: false,
  source: "exact", info: "words", curve: { steps: [3, 4], ours: [0.2, 0.1], stock: [0.3, null], stock_name: ["simple", null] }, knee: 4, record: "flow",
}

test("a good payload survives, also being kept inside a workflow", () => {
  const payload = payloadFrom(good)
  assert.equal(payload.curve.length, 2)
  assert.deepEqual(payloadFrom(JSON.parse(JSON.stringify(compact(payload)))), payload)
})

test("what is nobody's payload is nothing", () => {
  for (const bad of [null, undefined, 3, "text", [], {}, { sigmas: "1,2" }, { sigmas: [1, "<b>"] }, { curve: { steps: 5 } }, { info: 7 }]) assert.equal(payloadFrom(bad), null)
})

test("only finite numbers and short texts get through", () => {
  const payload = payloadFrom({ ...good, sigmas: [1, NaN], steps: 1e9, knee: -1, sampler: { toString: () => "x" }, info: "x".repeat(1e5), curve: { steps: [3, 1e99], ours: [Infinity, 1], stock: [-1, 2] } })
  assert.deepEqual([payload.sigmas, payload.steps, payload.knee, payload.sampler, payload.info.length, payload.curve], [[], null, null, null, 4000, []])
})

test("long lists are cut", () => {
  const long = Array.from({ length: 1e5 }, (_, k) => 1e5 - k)
  assert.equal(payloadFrom({ ...good, sigmas: long }).sigmas.length, 400)
})
