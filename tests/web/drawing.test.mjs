import assert from "node:assert/strict"
import { test } from "node:test"
import "./texts.mjs"
import { errorPlot, nearest, schedulePlot } from "../../web/js/drawing.mjs"
import { payloadFrom } from "../../web/js/payload.mjs"

const payload = payloadFrom({
  sampler: "euler", steps: 4, sigmas: [14.6, 5, 1, 0.2, 0], stock: { name: "karras", sigmas: [14.6, 6, 2, 0.4, 0] }, knee: 6, choice: "ours",
  curve: { steps: [4, 5, 6, 8], ours: [0.2, 0.1, 0.06, 0.05], stock: [0.3, 0.2, null, 0.1], stock_name: ["karras", "beta", null, "beta"] },
})
const size = { width: 320, height: 180 }
const lines = (plot) => plot.shapes.filter((shape) => shape.tag === "polyline")
const inside = (plot) => plot.shapes.every(({ attributes }) => ["x", "cx", "x1", "x2"].every((name) => attributes[name] === undefined || (attributes[name] >= -1 && attributes[name] <= size.width)) && ["y", "cy", "y1", "y2"].every((name) => attributes[name] === undefined || (attributes[name] >= -1 && attributes[name] <= size.height)))

test("the schedule falls, stock stands behind it, everything stays inside", () => {
  for (const log of [false, true]) {
    const plot = schedulePlot(payload, size, log)
    assert.deepEqual(lines(plot).map(({ attributes }) => attributes.class), ["sd-line sd-stock", "sd-line sd-ours"])
    const heights = lines(plot)[1].attributes.points.split(" ").map((pair) => Number(pair.split(",")[1]))
    assert.ok(heights.every((y, k) => k === 0 || y > heights[k - 1]))
    assert.ok(inside(plot))
  }
})

test("hover names the step and both sigmas", () => {
  const { points } = schedulePlot(payload, size, true)
  assert.equal(points.length, 5)
  assert.equal(nearest(points, points[2].x + 1).text, "step 2 · distilled σ 1 · karras σ 2")
  assert.equal(nearest([], 3), null)
})

test("the error curve marks the chosen steps and the knee, and leaves gaps out", () => {
  const plot = errorPlot(payload, size, true)
  assert.equal(plot.shapes.filter(({ attributes }) => attributes.class?.includes("sd-pick")).length, 1)
  assert.equal(plot.shapes.filter(({ attributes }) => attributes.class === "sd-knee").length, 1)
  assert.equal(lines(plot)[0].attributes.points.split(" ").length, 3)
  assert.ok(inside(plot))
  assert.match(plot.points[3].text, /^8 steps · distilled 0.05 · beta 0.1$/)
})

test("any payload can be drawn at any size", () => {
  for (const sigmas of [[], [1, 0], [0, 0], [1e9, 1e-9, 0], [5, 5, 5]])
    for (const log of [false, true])
      for (const width of [1, 60, 900]) {
        const plot = schedulePlot(payloadFrom({ sigmas, info: "x" }), { width, height: width / 2 }, log)
        assert.ok(plot.shapes.every(({ attributes }) => Object.values(attributes).every((value) => !String(value).includes("NaN"))))
      }
})
