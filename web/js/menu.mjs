// The right-click menus and the commands: few steps, bake, put back, on nodes, on a selection, on the whole workflow.

import { chooseRecord } from "./dialogs.mjs"
import { carries, later } from "./foretold.mjs"
import { allNodes, app, ask, toast } from "./host.mjs"
import { improvable, improve, KIND as FEW } from "./improve.mjs"
import { openPanel } from "./panel.mjs"
import { chooseRecipe, drawsNewest } from "./seldom_used.mjs"
import { fittingRecords, swap, withInner } from "./swap.mjs"
import { counted, t } from "./texts.mjs"

const ROLES = new Set(["dropdown", "maker", "sampler"])
let kinds = {}, entry = "distilled"

/** Learn which nodes choose schedules; on pages that ask no extension for menu items, add ours to their menus. */
export async function prepareMenus() {
  try {
    ({ kinds, entry } = await ask("kinds"))
  } catch (problem) {
    console.warn("StepDistill: the server did not answer, so that its menu is not complete.", problem)
  }
  if (app.collectNodeMenuItems) return
  const Canvas = window.LGraphCanvas ?? window.LiteGraph?.LGraphCanvas
  for (const [name, items] of [["getNodeMenuOptions", nodeItems], ["getCanvasMenuOptions", canvasItems]]) {
    const before = Canvas?.prototype[name]
    if (!before) continue
    Canvas.prototype[name] = function (...given) {
      return [...before.apply(this, given), ...items(given[0])]
    }
  }
}

/** Whether a node has to do with schedules, or is a subgraph that has such nodes inside. */
export function chooses(node) {
  if (!node) return false
  if (node.subgraph) return allNodes(node.subgraph).some(chooses)
  const names = new Set((node.widgets ?? []).map((widget) => widget.name))
  return node.type === FEW || ROLES.has(kinds[node.type]) || Boolean(node.properties?.stepdistill) || (names.has("scheduler") && names.has("sampler_name"))
}

/** The nodes that are selected and have to do with schedules. */
function selected() {
  const items = app.canvas?.selectedItems ?? Object.values(app.canvas?.selected_nodes ?? {})
  return [...items].filter((item) => item?.graph && item.widgets !== undefined && chooses(item))
}

/** The items for the menu of a node. */
export function nodeItems(node) {
  if (!chooses(node)) return []
  const picked = selected()
  const nodes = picked.includes(node) ? picked : [node]
  const title = nodes.length > 1 ? counted("menu.several", nodes.length) : t("menu.title")
  const better = improvable(nodes)
  const first = [
    better.length < nodes.length && { content: t("menu.few"), callback: () => void use(nodes) },
    better.length && { content: t("menu.improve"), callback: () => void improve(better) },
  ].filter(Boolean)
  return [null, ...first, item(title, actions(nodes))]
}

/** The items for the menu of the empty canvas. */
export function canvasItems() {
  const picked = selected()
  const here = picked.length ? [item(counted("menu.several", picked.length), actions(picked))] : []
  return [null, ...here, item(t("menu.whole"), [...actions(null), null, { content: t("menu.store"), callback: () => openPanel() }])]
}

/** What the tool box over a selection offers, however many nodes are in it. */
export const toolboxCommands = (item) => (item?.widgets !== undefined && chooses(item) ? ["StepDistill.Use"] : [])

/** The commands, for the host's menu, search and keys: on what is selected, else on the whole workflow. */
export function commands() {
  const target = () => (selected().length ? selected() : null)
  return [
    { id: "StepDistill.Use", label: t("command.use"), icon: "pi pi-bolt", function: () => use(target()) },
    { id: "StepDistill.Improve", label: t("command.improve"), icon: "pi pi-arrow-up", function: () => improve(target()) },
    { id: "StepDistill.UseRecord", label: t("command.useRecord"), icon: "pi pi-file", function: () => useRecord(target()) },
    { id: "StepDistill.Bake", label: t("command.bake"), icon: "pi pi-box", function: () => bake(target()) },
    { id: "StepDistill.PutBack", label: t("command.putBack"), icon: "pi pi-undo", function: () => swap("stock", target()) },
    { id: "StepDistill.Store", label: t("command.store"), icon: "pi pi-database", function: () => openPanel() },
  ]
}

function actions(nodes) {
  const few = nodes !== null && improvable(nodes).length === nodes.length  // which they take already
  const plain = { content: t("menu.use"), callback: () => void use(nodes) }
  const withRecord = { content: t("menu.useRecord"), callback: () => void useRecord(nodes) }
  return [
    ...(few ? [] : [plain, withRecord]),
    { content: t("menu.bake"), callback: () => void bake(nodes) },
    { content: t("menu.vendor"), callback: () => void vendor(nodes) },
    ...recipes(nodes),
    ...(changed(nodes) ? [{ content: t("menu.putBack"), callback: () => void swap("stock", nodes) }] : []),
  ]
}

/** Which recipe is drawn with, where the workflow is a picture's own and carries one. */
function recipes(nodes) {
  const better = improvable(nodes), newest = better.some(drawsNewest)
  if (!better.length || !(newest || carries())) return []
  const choose = () => {
    chooseRecipe(better, !newest)
    later()
  }
  return [{ content: t(newest ? "menu.asSaved" : "menu.newest"), callback: choose }]
}

/** Whether there is something to put back: in these nodes, or (null) anywhere. */
const changed = (nodes) => (nodes ? withInner(nodes) : allNodes()).some((node) => node.properties?.stepdistill)

const item = (content, options) => ({ content, has_submenu: true, submenu: { options } })

/** Where the dropdowns have no entry of ours, only nodes that become another kind can change. */
async function use(nodes) {
  const node = allNodes().find((each) => each.widgets?.some((widget) => widget.name === "scheduler"))
  const values = node?.widgets.find((widget) => widget.name === "scheduler")?.options?.values
  if (!Array.isArray(values) || values.includes(entry)) return swap("few", nodes)
  const free = (nodes ?? allNodes()).filter((each) => each.type === "KSampler")
  return free.length ? swap("few", free) : toast("warn", t("swap.noEntry"), t("swap.noEntryHow"))
}

async function useRecord(nodes) {
  const chosen = await chosenRecord("few", nodes, "choose.useTitle", "choose.useText", [{ value: "few" }], "choose.use")
  return chosen && swap("few", nodes, { record: chosen.record })
}

/** Where this server's core has no ManualSigmas, the closest stock schedule is offered first. */
async function bake(nodes) {
  const baked = { value: "baked", label: t("choose.bakeAnyway"), note: t("choose.bakeAnywayNote") }
  const closest = { value: "closest", label: t("choose.closest"), note: t("choose.closestNote") }
  const here = Boolean((window.LiteGraph ?? {}).registered_node_types?.ManualSigmas)
  const ways = here ? [baked] : [closest, baked], text = here ? "choose.bakeText" : "choose.bakeTextOld"
  const chosen = await chosenRecord("baked", nodes, "choose.bakeTitle", text, ways, "choose.bake", bakeable)
  return chosen && swap(chosen.way, nodes, { record: chosen.record })
}

/** The records that can be baked; where none of the nodes' own model can, the reason, in a sentence. */
function bakeable(records) {
  const can = records.filter((each) => each.fit !== "cannot"), cannot = records.find((each) => each.fit === "cannot")
  if (cannot && can.every((each) => each.fit === "other")) throw new Error(cannot.differs)
  return can
}

/** Explicit sigmas run in core's ManualSigmas alone. */
function vendor(nodes) {
  const here = Boolean((window.LiteGraph ?? {}).registered_node_types?.ManualSigmas)
  return here ? swap("vendor", nodes) : toast("warn", t("swap.noManual"), t("swap.noManualHow"))
}

async function chosenRecord(to, nodes, title, text, ways, label, only = (all) => all) {
  try {
    const found = await fittingRecords(to, nodes)
    return await chooseRecord(t(title), t(text), only(found), ways, t(label))
  } catch (problem) {
    if (to === "baked") return void toast("warn", t("swap.unchanged"), problem.message)
    toast("error", t("panel.failed"), problem.message)
    return null
  }
}
