import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { english } from "./texts.mjs"
import { errorNames, scheduleNames } from "../../web/js/card.mjs"
import { mostWords, shortened } from "../../web/js/dom.mjs"
import { split } from "../../web/js/line.mjs"
import { duration, progressFrom, progressWords } from "../../web/js/progress.mjs"
import { isRecord, looksLikeRecord } from "../../web/js/recordfile.mjs"
import { settings } from "../../web/js/settings.mjs"
import { counted, look, t, takeTexts } from "../../web/js/texts.mjs"

test("progress in words", () => {
  const words = progressWords(progressFrom({ node: 5, phase: "teacher", done: 1068, planned: 8000, seconds_left: 200 }))
  assert.deepEqual(words, { phase: "Drawing the many-step teacher", calls: "1,068 of 8,000 model calls · 3 min 20 s left", share: 1068 / 8000 })
  assert.equal(progressWords(progressFrom({ node: "5", phase: "euler" })).phase, "Fitting euler")
  assert.equal(progressWords(progressFrom({ node: "5", phase: "beta, 4 steps", done: 9, planned: 3 })).share, 1)
  for (const bad of [null, 3, {}, { node: {} }]) assert.equal(progressFrom(bad), null)
  assert.deepEqual([0.2, 59, 61, 3600, 7500].map(duration), ["1 s", "59 s", "1 min 1 s", "1 h", "2 h 5 min"])
})

test("what is said before a run, and the line that a text begins with", () => {
  const heard = (raw) => progressFrom({ node: 5, ...raw }).said
  assert.deepEqual([heard({ said: "Drawing 6 steps." }), heard({ plan: "First" }), heard({}), heard({ said: 3 })], ["Drawing 6 steps.", "First", "", ""])
  assert.deepEqual(split("6 steps, recipe 1a. Error 0.5 of it."), ["6 steps, recipe 1a.", "Error 0.5 of it."])
  assert.deepEqual([split("No end"), split("")], [["No end", ""], ["", ""]])
})

test("one selected node is one", () => {
  assert.deepEqual([1, 2].map((count) => counted("menu.several", count)), ["StepDistill: 1 selected node", "StepDistill: 2 selected nodes"])
})

test("another language falls back to English, what nobody wrote to its key", () => {
  takeTexts({ en: english, de: { stepdistill: { card: { log: "Log." } } } }, "de")
  assert.deepEqual([t("card.log"), t("card.linear"), t("no.such"), look("no.such"), look("card")], ["Log.", "Linear", "no.such", undefined, undefined])
  takeTexts({ en: english }, "en")
  assert.equal(counted("plot.count", 1) + counted("plot.count", 1200), "1 step1,200 steps")
  assert.equal(t("drop.title", { name: "{name}<b>" }), "Record: {name}<b>")
})

test("every text that the code asks for exists, and every text is asked for", () => {
  const folder = new URL("../../web/js/", import.meta.url)
  const code = readdirSync(folder).filter((name) => /js$/.test(name)).map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n")
  const asked = new Set([...code.matchAll(/["'`]((?:card|plot|progress|menu|command|swap|choose|dialog|panel|drop|improve|missing)\.\w+)["'`]/g)].map((match) => match[1]))
  for (const key of asked) assert.ok(look(key) ?? look(`${key}.many`), key)
  const composed = /^(card\.(schedule|error)|source\.|phase\.|action\.|fit\.)/
  for (const [group, texts] of Object.entries(english.stepdistill))
    for (const name of Object.keys(texts)) if (!composed.test(`${group}.${name}`)) assert.ok(asked.has(`${group}.${name}`), `${group}.${name} is not used`)
})

test("settings and commands say the same in the code and in the locale", () => {
  const read = (name) => JSON.parse(readFileSync(new URL(`../../locales/en/${name}.json`, import.meta.url), "utf8"))
  assert.deepEqual(Object.fromEntries(settings().map(({ id, name, tooltip }) => [id.replace(".", "_"), { name, tooltip }])), read("settings"))
  const labels = Object.values(read("commands")).map(({ label }) => label)
  assert.deepEqual(labels, Object.values(english.stepdistill.command))
})

test("records are known by their beginning, workflows are not taken for them", () => {
  assert.ok(looksLikeRecord('\uFEFF{\n "stepdistill": 1,') && looksLikeRecord('{"stepdistill":1}'))
  assert.ok(!looksLikeRecord('{"nodes": [], "stepdistill": 1}') && !looksLikeRecord("[]") && !looksLikeRecord(""))
  assert.ok(isRecord('{"stepdistill": 1}') && isRecord('{"stepdistill": 1, broken') && !isRecord('{"stepdistill": 1, "nodes": []}'))
})

test("the legend of the errors names the lines that are drawn", () => {
  const kinds = (...rows) => errorNames({ curve: rows }).map(([kind]) => kind)
  assert.deepEqual(kinds({ steps: 4, ours: null, stock: 0.2 }, { steps: 6, ours: null, stock: 0.1 }), ["stock"])
  assert.deepEqual(kinds({ steps: 4, ours: 0.1, stock: null }), ["ours"])
  assert.deepEqual(kinds({ steps: 4, ours: 0.1, stock: 0.2 }), ["ours", "stock"])
})

test("no module writes HTML", () => {
  const folder = new URL("../../web/js/", import.meta.url)
  for (const name of readdirSync(folder).filter((each) => /js$/.test(each)))
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/.test(readFileSync(new URL(name, folder), "utf8")), name)
})

test("only what was measured is called the best", () => {
  const payload = { sigmas: [1, 0], stock: { name: "beta", sigmas: [1, 0] } }
  const ours = (choice, won) => scheduleNames({ ...payload, choice, won })[0][1]
  assert.deepEqual([["ours", false], ["karras", true], ["simple", false]].map((each) => ours(...each)), ["distilled", "stock's karras, the best here", "simple, not measured here"])
})

test("a text is cut between its words, and says that there is more", () => {
  const words = "Drawn in full, 24 steps, to learn this model.".split(" ")
  assert.equal(shortened(words, words.length), words.join(" "))
  assert.equal(shortened(words, 3), "Drawn in full …")
  const room = (letters) => shortened(words, mostWords(words, (count) => shortened(words, count).length <= letters))
  assert.deepEqual([room(100), room(26), room(9), room(2)], [words.join(" "), "Drawn in full, 24 steps …", "Drawn …", "Drawn …"])
})
