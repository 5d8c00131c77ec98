// The card of a node that takes another's place: one line and, where there is room below the node, the whole text. While there is
// nothing to say it takes no room at all.

import { Card } from "./card.mjs"
import { fading, make, worded } from "./dom.mjs"

export const LINE = { least: 34, two: 60, three: 100, most: 210, progress: 80 }  // the host's margins of a widget included
const ROW = 16.2, LETTER = 6, EDGES = 34  // pixels of a line, a letter, and what is around the words
const WIDE = 290  // pixels of a card that is not laid out yet

export class LineCard extends Card {
  /** changed: as for Card. action: {label, act}, a button at the end of the line. room(card): pixels that there are for it. */
  constructor(view, changed, last, action, room) {
    super(view, changed, last)
    this.action = action
    this.measure = room
    this.ahead = ""  // what the next picture will be
    this.room = this.laid = 0  // laid: its height on the screen when it was last at rest
    this.element.classList.add("sd-short")
    this.render()
  }

  /** Whether there is nothing to say, or no room to say it. */
  get empty() {
    const nothing = !this.payload && !this.progress && !this.note && !this.ahead
    return nothing || this.room < LINE.least
  }

  /** Whether the button has to stand in the title of a Vue node; classic ones have title_button.mjs for that. */
  get tight() {
    return Boolean(this.action && this.empty && this.payload && window.LiteGraph?.vueNodesMode)
  }

  get height() {
    if (this.empty) return 0
    if (!this.payload && this.ahead && !this.progress && !this.note) return Math.min(this.room, LINE.two)
    if (!this.payload || this.progress || this.note) return Math.min(this.room, this.progress ? LINE.progress : LINE.two)
    return Math.round(Math.min(this.room, Math.max(LINE.three, Math.min(this.wanted, LINE.most))))
  }

  /** What its whole text takes, about: the headline up to three lines. */
  get wanted() {
    const letters = ((this.element.clientWidth || WIDE) - EDGES) / LETTER
    const rows = [...this.payload.info.split("\n"), this.ahead].map((text) => Math.ceil(text.length / letters) || 1)
    return EDGES + ROW * (rows.reduce((sum, each) => sum + each, 0) + 2)
  }

  get plots() {
    return []
  }

  /** Say what the next picture will be: "" for nothing. */
  next(text) {
    if (text === this.ahead) return
    this.ahead = text
    if (!this.progress) this.render()
  }

  stopped() {
    super.stopped()
    this.say("")
  }

  render() {
    if (!this.measure) return  // the base's own first call
    if (!this.moving) this.room = this.measure(this)
    this.bar = null
    const folded = this.tight ? "tight" : "empty"
    this.element.dataset.view = this.empty ? folded : "line"
    this.element.replaceChildren(...(this.empty ? [this.tight && this.pressed()].filter(Boolean) : this.rows()))
    this.changed()
    this.settle()
  }

  /** What the page has laid out is known two frames later. */
  settle() {
    this.moving = true
    requestAnimationFrame(() => requestAnimationFrame(() => {
      this.moving = false
      this.laid = this.element.offsetHeight
      if (this.payload && this.empty && this.measure(this) >= LINE.least) this.render()  // it was filled before it had its place
    }))
  }

  rows() {
    if (this.progress) {
      const part = this.progressPart()
      part.classList.toggle("sd-two", this.height >= LINE.progress)
      return [part]
    }
    if (this.note) return [this.high(line(this.note, this.note))]
    const next = this.ahead ? fading(make("div", { class: "sd-next", title: this.ahead }, this.ahead)) : null
    if (!this.payload) return [next]
    const { info } = this.payload
    const [first, rest] = split(info)
    const roomy = this.height >= LINE.three
    const words = rest && this.height > LINE.least + 20 ? fading(make("div", { class: "sd-words", title: info }, rest)) : null
    const head = this.high(line(this.lastly(first), info, this.pressed()))
    return [roomy && next, head, words].filter(Boolean)
  }

  /** A line, of as many rows as there is room for. */
  high(head) {
    head.classList.toggle("sd-two", this.height >= LINE.two)
    head.classList.toggle("sd-three", this.height >= LINE.three)
    return head
  }

  pressed() {
    if (!this.action) return null
    const press = (event) => {
      event.stopPropagation()
      this.action.act()
    }
    const still = (event) => event.stopPropagation()
    return make("button", { type: "button", class: "sd-act", onclick: press, onpointerdown: still }, this.action.label)
  }

  /** What was said of it goes before its phase. */
  get said() {
    return this.note
  }
}

/** The first sentence of a text, and the rest. */
export function split(text) {
  const [, first, rest] = /^(.*?[.!?])\s+(.*)$/s.exec(text) ?? [null, text, ""]
  return [first, rest]
}

const line = (text, whole, button) => make("div", { class: "sd-head" }, worded({ class: "sd-name", title: whole }, text), button)
