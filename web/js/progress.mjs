// Progress of a distillation, as the server tells it ("stepdistill.progress"), in words.

import { look, t } from "./texts.mjs"

/** {node, phase, done, planned, seconds, said}, or null for what is none. said: the plan in words, or "". */
export function progressFrom(raw) {
  if (!raw || typeof raw !== "object" || (typeof raw.node !== "string" && typeof raw.node !== "number")) return null
  const number = (value) => (typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null)
  const phase = typeof raw.phase === "string" ? raw.phase.slice(0, 100) : ""
  return {
    node: String(raw.node), phase, done: number(raw.done) ?? 0, planned: Math.max(number(raw.planned) ?? 1, 1),
    keeps: raw.keeps === true, seconds: number(raw.seconds_left), said: typeof raw.plan === "string" ? raw.plan.slice(0, 1000) : said(raw),
  }
}

const said = (raw) => (typeof raw.said === "string" ? raw.said.slice(0, 1000) : "")

/** What is being done, the calls made of those planned with the time left, and the share that is done. */
export function progressWords({ phase, done, planned, seconds }) {
  const calls = t("progress.calls", { done: done.toLocaleString("en"), planned: planned.toLocaleString("en") })
  const left = seconds === null ? null : t("progress.left", { time: duration(seconds) })
  const named = look(`phase.${phase}`) ?? (/^\w+$/.test(phase) ? t("phase.sampler", { name: phase }) : phase)
  return { phase: named, calls: [calls, left].filter(Boolean).join(" · "), share: Math.min(done / planned, 1) }
}

/** "8 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds) {
  const whole = Math.max(Math.round(seconds), 1)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole < 600 && whole % 60 ? ` ${whole % 60} s` : ""}`
  const minutes = Math.floor((whole % 3600) / 60)
  return `${Math.floor(whole / 3600)} h${minutes ? ` ${minutes} min` : ""}`
}
