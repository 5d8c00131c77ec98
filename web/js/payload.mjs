// What a node shows of a schedule or a record (nodes/shown.py). It also comes out of saved workflows, so it may be anybody's: nothing is
// believed but finite numbers and short texts.

const MOST_POINTS = 400, MOST_ROWS = 200, LONGEST = 4000, KEPT_INFO = 1000

/** The payload with everything checked, or null where there is nothing to show. */
export function payloadFrom(raw) {
  if (!raw || typeof raw !== "object" || Array.isArray(raw)) return null
  const found = {
    sampler: text(raw.sampler, 200), steps: whole(raw.steps), sigmas: schedule(raw.sigmas),
    stock: { name: text(raw.stock?.name, 200), sigmas: schedule(raw.stock?.sigmas) },
    offsets: raw.offsets === true, choice: text(raw.choice, 300), won: raw.won === true, source: text(raw.source, 20), info: text(raw.info, LONGEST) ?? "",
    curve: curveFrom(raw.curve), knee: whole(raw.knee), record: text(raw.record, 400),
  }
  return found.sigmas.length || found.curve.length || found.info ? found : null
}

/** The payload as it is kept inside a workflow: plain data again, a few KB. */
export function compact(payload) {
  const rows = payload.curve
  return {
    ...payload, info: payload.info.slice(0, KEPT_INFO),
    curve: {
      steps: rows.map((r) => r.steps), ours: rows.map((r) => r.ours), stock: rows.map((r) => r.stock),
      stock_name: rows.map((r) => r.name),
    },
  }
}

/** Rows {steps, ours, stock, name} by step count; errors are numbers above 0 or null. */
function curveFrom(raw) {
  if (!Array.isArray(raw?.steps)) return []
  const rows = raw.steps.slice(0, MOST_ROWS).map((steps, k) => ({
    steps: whole(steps), ours: error(raw.ours?.[k]), stock: error(raw.stock?.[k]), name: text(raw.stock_name?.[k], 200),
  }))
  return rows.filter((row) => row.steps !== null && (row.ours !== null || row.stock !== null)).sort((a, b) => a.steps - b.steps)
}

/** A list of sigmas, or none of them where one is no number. */
function schedule(raw) {
  if (!Array.isArray(raw)) return []
  const numbers = raw.slice(0, MOST_POINTS)
  return numbers.every((value) => typeof value === "number" && Number.isFinite(value) && value >= 0) ? numbers : []
}

const error = (value) => (typeof value === "number" && Number.isFinite(value) && value > 0 ? value : null)
const whole = (value) => (Number.isInteger(value) && value > 0 && value < 1e6 ? value : null)
const text = (value, longest) => (typeof value === "string" && value ? value.slice(0, longest) : null)
