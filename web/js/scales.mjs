// From numbers to places and back to words: axes with round ticks, linear and logarithmic.

/** place(value) of a linear axis; low goes to `from`, high to `to`. */
export function linear(low, high, from, to) {
  const span = high - low || 1
  return (value) => from + ((value - low) / span) * (to - from)
}

/** place(value) of a logarithmic axis; low and high are above 0. */
export function logarithmic(low, high, from, to) {
  const place = linear(Math.log(low), Math.log(high), from, to)
  return (value) => place(Math.log(value))
}

/** Round numbers between low and high, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1)
  if (!(rough > 0) || !Number.isFinite(rough)) return [low]
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999)
  const found = []
  const inside = (k) => k * step <= high * (1 + 1e-9) && found.length < 50
  for (let k = Math.ceil(low / step - 1e-9); inside(k); k++) found.push(Number((k * step).toPrecision(12)))
  return found
}

/** Round numbers on a logarithmic axis: powers of ten, with 2 and 5 between them where there is room. */
export function logTicks(low, high, count) {
  const all = (digits) => {
    const found = []
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const digit of digits) {
        const value = Number((digit * 10 ** power).toPrecision(6))
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value)
      }
    return found
  }
  const choices = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]].map(all)
  const fitting = choices.find((each) => each.length <= count && each.length >= 2)
  return fitting ?? thinned(choices.find((each) => each.length) ?? ticks(low, high, count), count)
}

function thinned(values, count) {
  const every = Math.ceil(values.length / Math.max(count, 1))
  return values.filter((_, k) => k % every === 0)
}

/** A number in at most four figures: "0.0312", "14.61", "1,200"; "0" for 0. */
export function figures(value) {
  if (value === 0) return "0"
  const size = Math.abs(value)
  if (size >= 1e5 || size < 1e-4) return value.toExponential(1).replace("e+", "e")
  if (size >= 1000) return Math.round(value).toLocaleString("en")
  return String(Number(value.toPrecision(4)))
}
