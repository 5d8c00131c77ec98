// The two plots as lists of plain shapes, {tag, attributes, text}: no page is needed to make them. card.mjs puts them into an SVG.

import { figures, linear, logarithmic, logTicks, ticks } from "./scales.mjs"
import { counted, t } from "./texts.mjs"

const MARGIN = { left: 44, right: 12, top: 10, bottom: 30 }

/** Sigma against step, stock's behind it. size: {width, height}. Returns {shapes, points: [{x, marks: [{y, kind}], text}]}. */
export function schedulePlot(payload, size, log) {
  const ours = payload.sigmas, stock = payload.stock.sigmas
  const area = areaOf(size), last = Math.max(ours.length, stock.length) - 1
  const x = linear(0, Math.max(last, 1), area.left, area.right)
  const y = sigmaAxis([...ours, ...stock], area, log)
  const shapes = [
    ...grid(area, x, wholeTicks(0, last, area), y), ...titles(area, size, t("plot.step"), log ? t("plot.sigmaLog") : t("plot.sigma")),
  ]
  const line = (sigmas, kind) => curveOf(sigmas.map((sigma, k) => [x(k), y.place(sigma)]), kind, sigmas.length <= 41)
  if (stock.length) shapes.push(...line(stock, "stock"))
  if (ours.length) shapes.push(...line(ours, "ours"))
  const points = Array.from({ length: last + 1 }, (_, k) => ({
    x: x(k), text: sigmaWords(payload, k),
    marks: [[stock[k], "stock"], [ours[k], "ours"]].filter(([s]) => s !== undefined).map(([s, kind]) => ({ y: y.place(s), kind })),
  }))
  return { shapes, points }
}

/** Error against steps, with the chosen step count and the knee; the same kind of answer. */
export function errorPlot(payload, size, log) {
  const rows = payload.curve, area = areaOf(size)
  const counts = rows.map((row) => row.steps), low = Math.min(...counts), high = Math.max(...counts)
  const x = linear(low === high ? low - 1 : low, low === high ? high + 1 : high, area.left + 8, area.right - 8)
  const y = errorAxis(rows.flatMap((row) => [row.ours, row.stock]).filter((value) => value !== null), area, log)
  const shapes = [
    ...grid(area, x, wholeTicks(low, high, area), y), ...titles(area, size, t("plot.steps"), log ? t("plot.errorLog") : t("plot.error")),
  ]
  const chosen = rows.find((row) => row.steps === payload.steps)
  if (chosen) shapes.push(shape("line", { x1: x(chosen.steps), x2: x(chosen.steps), y1: area.top, y2: area.bottom, class: "sd-chosen" }))
  for (const kind of ["stock", "ours"]) {
    const known = rows.filter((row) => row[kind] !== null)
    shapes.push(...curveOf(known.map((row) => [x(row.steps), y.place(row[kind])]), kind, rows.length <= 41))
  }
  shapes.push(...special(rows, payload, x, y, area))
  const points = rows.map((row) => ({
    x: x(row.steps), text: errorWords(row),
    marks: ["stock", "ours"].filter((kind) => row[kind] !== null).map((kind) => ({ y: y.place(row[kind]), kind })),
  }))
  return { shapes, points }
}

/** The point of a plot that is nearest to a place, or null. */
export function nearest(points, x) {
  return points.reduce((best, point) => (best && Math.abs(best.x - x) <= Math.abs(point.x - x) ? best : point), null)
}

function areaOf({ width, height }) {
  return {
    left: MARGIN.left, right: Math.max(width - MARGIN.right, MARGIN.left + 20), top: MARGIN.top,
    bottom: Math.max(height - MARGIN.bottom, MARGIN.top + 20),
  }
}

/** Logarithmic axes end at the bottom in 0, apart from the rest, because every schedule does. */
function sigmaAxis(sigmas, area, log) {
  const highest = Math.max(...sigmas, 1e-9), least = Math.min(...sigmas.filter((sigma) => sigma > 0), highest)
  if (!log) {
    const place = linear(0, highest, area.bottom, area.top)
    return { place, ticks: ticks(0, highest, room(area)), words: figures }
  }
  const floor = area.bottom - 16, above = logarithmic(least < highest ? least : least / 10, highest, floor, area.top)
  return { place: (sigma) => (sigma > 0 ? above(sigma) : area.bottom), ticks: [0, ...logTicks(least, highest, room(area))], words: figures }
}

function errorAxis(errors, area, log) {
  const high = Math.max(...errors) * 1.05, low = Math.min(...errors) / 1.05
  if (!log) return { place: linear(0, high, area.bottom, area.top), ticks: ticks(0, high, room(area)), words: figures }
  return { place: logarithmic(low, high, area.bottom, area.top), ticks: logTicks(low, high, room(area)), words: figures }
}

const room = (area) => Math.max(2, Math.min(6, Math.floor((area.bottom - area.top) / 26)))

function wholeTicks(low, high, area) {
  return ticks(
    low, Math.max(high, low + 1), Math.max(2, Math.floor((area.right - area.left) / 34)),
  ).filter((value) => Number.isInteger(value) && value <= high)
}

function grid(area, x, across, y) {
  const shapes = []
  for (const value of y.ticks) {
    const at = y.place(value)
    shapes.push(shape("line", { x1: area.left, x2: area.right, y1: at, y2: at, class: "sd-grid" }))
    shapes.push(shape("text", { x: area.left - 5, y: at + 3.5, class: "sd-tick sd-end" }, y.words(value)))
  }
  for (const value of across) shapes.push(shape("text", { x: x(value), y: area.bottom + 12, class: "sd-tick sd-middle" }, String(value)))
  return shapes
}

function titles(area, size, below, beside) {
  const middle = (area.top + area.bottom) / 2
  return [
    shape("text", { x: (area.left + area.right) / 2, y: size.height - 4, class: "sd-title sd-middle" }, below),
    shape("text", { x: 9, y: middle, class: "sd-title sd-middle", transform: `rotate(-90 9 ${round(middle)})` }, beside),
  ]
}

function curveOf(points, kind, dots) {
  if (!points.length) return []
  const line = shape("polyline", { points: points.map(([px, py]) => `${round(px)},${round(py)}`).join(" "), class: `sd-line sd-${kind}` })
  return [
    line,
    ...(dots ? points.map(([cx, cy]) => shape("circle", { cx, cy, r: kind === "ours" ? 3 : 2.2, class: `sd-dot sd-${kind}` })) : []),
  ]
}

/** The chosen step count, filled and named; the knee, ringed and named. */
function special(rows, payload, x, y, area) {
  const found = []
  const chosen = rows.find((row) => row.steps === payload.steps && row.ours !== null)
  if (chosen) found.push(shape("circle", { cx: x(chosen.steps), cy: y.place(chosen.ours), r: 5, class: "sd-dot sd-ours sd-pick" }))
  const knee = rows.find((row) => row.steps === payload.knee && row.ours !== null)
  if (!knee) return found
  const left = x(knee.steps) > (area.left + area.right) / 2
  const at = y.place(knee.ours), below = at < area.top + 20
  found.push(shape("circle", { cx: x(knee.steps), cy: at, r: 8, class: "sd-knee" }))
  found.push(shape(
    "text", { x: x(knee.steps) + (left ? -11 : 11), y: at + (below ? 15 : -8), class: `sd-note ${left ? "sd-end" : ""}` },
    t("plot.knee"),
  ))
  return found
}

function sigmaWords(payload, k) {
  const ours = payload.sigmas[k], stock = payload.stock.sigmas[k]
  const parts = [t("plot.atStep", { step: k })]
  if (ours !== undefined) parts.push(`${t("plot.ours")} σ ${figures(ours)}`)
  if (stock !== undefined) parts.push(`${payload.stock.name ?? t("plot.stock")} σ ${figures(stock)}`)
  return parts.join(" · ")
}

function errorWords(row) {
  const parts = [counted("plot.count", row.steps)]
  if (row.ours !== null) parts.push(`${t("plot.ours")} ${figures(row.ours)}`)
  if (row.stock !== null) parts.push(`${row.name ?? t("plot.stock")} ${figures(row.stock)}`)
  return parts.join(" · ")
}

function shape(tag, attributes, text) {
  const rounded = Object.entries(attributes).map(([name, value]) => [name, typeof value === "number" ? round(value) : value])
  return { tag, attributes: Object.fromEntries(rounded), text }
}

const round = (value) => Math.round(value * 100) / 100
