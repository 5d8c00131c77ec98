// The card that a node shows: what it ran in words, the schedule, the error curve, and progress while it distils.

import { byWords, fading, followTheme, make, svg, worded } from "./dom.mjs"
import { errorPlot, nearest, schedulePlot } from "./drawing.mjs"
import { progressWords } from "./progress.mjs"
import { counted, t } from "./texts.mjs"

export const HEIGHT = { empty: 34, note: 64, words: 96, progress: 52, full: 270 }

export class Card {
  /** view: {plot: "schedule" | "error", log: boolean}, changed in place. changed(): the card needs another height, or its view changed.
   * last: the text that a headline stands in where it tells of a run that is over, such as "card.lastRun", or null. */
  constructor(view, changed = () => {}, last = null) {
    this.view = view
    this.last = last
    this.changed = changed
    this.payload = this.progress = null
    this.note = this.plan = ""
    this.nothing = "card.empty"  // the text of a card that has nothing to show yet
    this.element = make("div", { class: "sd-card", "data-view": "empty" })
    followTheme(this.element)
    this.watch = new ResizeObserver(() => this.draw())
    this.render()
  }

  /** The height that the card needs at least, in pixels. */
  get height() {
    const noted = this.progress ? this.plan : this.note
    const base = this.payload ? (this.plots.length ? HEIGHT.full : HEIGHT.words) : this.progress ? 14 : HEIGHT.empty
    return base + (this.progress ? HEIGHT.progress : 0) + (noted ? HEIGHT.note : 0)
  }

  /** Which plots there is data for. */
  get plots() {
    const found = this.payload
    return [found?.sigmas.length && "schedule", found?.curve.length > 2 && "error"].filter(Boolean)
  }

  /** Show another payload (see payload.mjs), or null for nothing. */
  show(payload) {
    this.payload = payload
    this.render()
  }

  /** Say something above the rest, while nothing runs: "" for nothing. */
  say(note) {
    if (note === this.note) return
    this.note = note
    this.render()
  }

  /** Say what a run does, above its progress. */
  planned(plan) {
    if (plan === this.plan) return
    this.plan = plan
    if (this.progress) this.render()
  }

  /** A run has ended, however it did. */
  stopped() {
    this.plan = ""
    this.running(null)
  }

  /** Show progress, or null when it is over. */
  running(progress) {
    const had = this.progress !== null
    this.progress = progress
    had === (progress !== null) && this.bar ? this.move() : this.render()
  }

  render() {
    this.watch.disconnect()
    this.bar = this.place = null
    const said = this.progress ? this.plan : this.note
    const note = said ? fading(make("div", { class: "sd-note", title: said }, said)) : null
    const parts = [note, this.progress && this.progressPart(), ...(this.payload ? this.parts() : [])].filter(Boolean)
    if (!parts.length) parts.push(make("div", { class: "sd-quiet" }, t(this.nothing)))
    this.element.dataset.view = this.payload ? "full" : this.progress ? "progress" : "empty"
    this.element.style.setProperty("--sd-least", `${this.height}px`)
    this.element.replaceChildren(...parts)
    if (this.place) this.watch.observe(this.place)
    this.draw()
    this.changed()
  }

  parts() {
    const found = this.payload
    const head = make(
      "div", { class: "sd-head" }, worded({ class: "sd-name", title: found.record ?? "" }, this.lastly(headline(found))), badge(found),
    )
    const text = found.info.replace(/: {2,}/g, ": ")
    const words = text ? fading(make("div", { class: "sd-words", title: found.info }, text)) : null
    if (!this.plots.length) return [head, words]
    if (!this.plots.includes(this.view.plot)) this.view.plot = this.plots[0]
    this.place = make("div", { class: "sd-plot" })
    this.foot = make("div", { class: "sd-foot" })
    this.hover()
    return [head, words, this.tools(), this.place, this.foot]
  }

  /** A headline, named as the last run's where the next one may be another: widgets and links change meanwhile. */
  lastly(text) {
    return this.last && text ? t(this.last, { text: text.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase()) }) : text
  }

  tools() {
    const plot = (name) => this.button(t(`card.${name}`), this.view.plot === name, () => (this.view.plot = name))
    const scale = (log) => this.button(t(log ? "card.log" : "card.linear"), this.view.log === log, () => (this.view.log = log))
    return make("div", { class: "sd-bar" }, ...this.plots.map(plot), make("span", { class: "sd-space" }), scale(false), scale(true))
  }

  button(label, pressed, act) {
    const press = (event) => {
      event.stopPropagation()
      act()
      this.render()
    }
    return make(
      "button", { type: "button", "aria-pressed": String(pressed), onclick: press, onpointerdown: (event) => event.stopPropagation() },
      label,
    )
  }

  /** Draw the plot at the size that it has now. */
  draw() {
    const width = this.place?.clientWidth, height = this.place?.clientHeight
    if (!width || !height) return
    const plot = this.view.plot === "error" ? errorPlot : schedulePlot
    this.drawn = plot(this.payload, { width, height }, this.view.log)
    const picture = svg({
      tag: "svg", attributes: { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t(`card.${this.view.plot}`) },
    })
    picture.append(...this.drawn.shapes.map(svg))
    this.marks = svg({ tag: "g" })
    picture.append(this.marks)
    this.place.replaceChildren(picture)
    this.legend()
  }

  hover() {
    this.place.addEventListener("pointermove", (event) => {
      const box = this.place.getBoundingClientRect()  // as large as it looks; the canvas may be zoomed
      if (!this.drawn || !box.width) return
      const point = nearest(this.drawn.points, ((event.clientX - box.left) / box.width) * this.place.clientWidth)
      if (!point) return
      const hair = svg({
        tag: "line", attributes: { x1: point.x, x2: point.x, y1: 10, y2: this.place.clientHeight - 30, class: "sd-hair" },
      })
      this.marks.replaceChildren(
        hair,
        ...point.marks.map(({ y, kind }) => svg({ tag: "circle", attributes: { cx: point.x, cy: y, r: 4.5, class: `sd-${kind}` } })),
      )
      this.foot.replaceChildren(make("span", {}, point.text))
    })
    this.place.addEventListener("pointerleave", () => {
      this.marks?.replaceChildren()
      this.legend()
    })
  }

  legend() {
    const found = this.payload
    const names = this.view.plot === "error" ? errorNames(found) : scheduleNames(found)
    this.foot.replaceChildren(...names.map(([kind, name]) => make("span", { class: `sd-key sd-${kind}` }, worded({ class: "sd-cut" }, name))))
  }

  progressPart() {
    this.bar = make("div")
    this.left = make("span", { class: "sd-phase sd-cut" })
    this.says = byWords(this.left)
    this.right = make("span", { class: "sd-quiet" })
    this.move()
    return make("div", { class: "sd-progress" }, this.left, make("div", { class: "sd-track" }, this.bar), this.right)
  }

  move() {
    const { phase, calls, share } = progressWords(this.progress)
    this.bar.style.width = `${100 * share}%`
    this.says(this.said || phase)
    this.right.textContent = calls
  }
}

/** "distilled, 6 steps", or the record's name where it is about a whole record. */
export function headline(payload) {
  const steps = payload.steps ? counted("plot.count", payload.steps) : null
  return [payload.sampler, steps].filter(Boolean).join(", ") || payload.record || ""
}

function badge(payload) {
  return payload.source ? make("span", { class: "sd-badge", dataset: { source: payload.source } }, t(`source.${payload.source}`)) : null
}

/** The legend of the schedules: what runs, and the stock schedule beside it; a stock one is the best only where that was measured. */
export function scheduleNames(payload) {
  const stock = payload.choice && payload.choice !== "ours" ? payload.choice : null
  const ours = stock ? t(payload.won ? "plot.stockWon" : "plot.standIn", { name: stock }) : t("plot.ours")
  if (stock && stock.split(" + ")[0] === payload.stock.name) return [["ours", ours]]
  return [
    payload.sigmas.length && ["ours", ours],
    payload.stock.sigmas.length && ["stock", t("plot.stockNamed", { name: payload.stock.name ?? "" })],
  ].filter(Boolean)
}

/** The legend of the errors: of lines that are there. */
export function errorNames(payload) {
  return [
    payload.curve.some((row) => row.ours !== null) && ["ours", t("plot.ours")],
    payload.curve.some((row) => row.stock !== null) && ["stock", t("plot.bestStock")],
  ].filter(Boolean)
}
