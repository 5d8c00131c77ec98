// Swaps in the open workflow: the page's own JSON goes to the server, which runs the same code as `python -m scheduler swap`, and what
// comes back is loaded as one change that undo takes back.

import { reportDialog } from "./dialogs.mjs"
import { loadAsOneStep } from "./history.mjs"
import { allNodes, ask, rootGraph, toast } from "./host.mjs"
import { forget, grown } from "./shown.mjs"
import { counted, t } from "./texts.mjs"

/** Where a node is, as the server knows it: the subgraph's id, or nothing, and its own. */
export const place = (node) => `${node.graph && node.graph !== rootGraph() ? node.graph.id : ""}:${node.id}`

/** The nodes themselves and, of subgraphs among them, everything inside. */
export const withInner = (nodes) => [...new Set(nodes.flatMap((node) => (node.subgraph ? [node, ...allNodes(node.subgraph)] : [node])))]

/** Swap some nodes (null: the whole workflow), load the result and say what became of it. Answers the server's report, or null. */
export async function swap(to, nodes, options = {}) {
  const only = nodes && withInner(nodes).map(place)
  try {
    const before = rootGraph().serialize()
    const tall = new Map(allNodes().filter(grown).map((node) => [place(node), node.type]))
    const kinds = new Map(allNodes().map((node) => [place(node), node.type]))
    const report = titled(await ask("swap", { workflow: JSON.stringify(before), to, only, widgets: otherPacks(), ...options }))
    if (report.changed) await loadAsOneStep(JSON.parse(report.workflow), () => shrink(tall, kinds))
    tell(report, to, nodes, options)
    return report
  } catch (problem) {
    toast("error", t("swap.failed"), problem.message)
    return null
  }
}

/** Nodes of another kind than before say nothing of a picture; those that were as tall as their words are as tall as they need.
 * tall, kinds: {place: kind}. */
function shrink(tall, kinds) {
  for (const node of allNodes()) {
    const was = tall.get(place(node)), kind = kinds.get(place(node))
    if (kind && kind !== node.type) forget(node)
    if (was && was !== node.type) node.setSize([node.size[0], node.computeSize()[1]])
  }
}

/** The report with nodes called what the page calls them. */
function titled(report) {
  const known = window.LiteGraph?.registered_node_types ?? {}
  const title = (kind) => known[kind]?.title ?? kind
  const said = (text) => text.replace(/\bStepDistill\w+/g, title)
  return { ...report, needs: report.needs.map(said), nodes: report.nodes.map((node) => ({ ...node, line: said(node.line) })) }
}

/** The store's records as the server lists them, those that fit some nodes (null: of the whole workflow) first. */
export const fittingRecords = async (to, nodes) => {
  const only = nodes && withInner(nodes).map(place)
  const { records } = await ask("fitting", { workflow: JSON.stringify(rootGraph().serialize()), to, only, widgets: otherPacks() })
  return records
}

/** The widgets, in their order, of every kind of node that chooses a sampler and a scheduler. */
function otherPacks() {
  const names = (node) => (node.widgets ?? []).map((widget) => widget.name)
  const choosing = allNodes().filter((node) => ["sampler_name", "scheduler"].every((name) => names(node).includes(name)))
  return Object.fromEntries(choosing.map((node) => [node.type, names(node)]))
}

/** All well and short: a toast. Anything left or doubtful: a dialog with every node and its reason. */
function tell(report, to, nodes, options) {
  const left = report.nodes.filter((node) => node.action === "left")
  const doubts = left.length || report.warning || report.exact === false
  if (!report.nodes.length) return toast("info", t("swap.nothing"), t(nodes ? "swap.nothingHere" : "swap.nothingAnywhere"))
  const title = report.changed ? counted(`swap.changed`, report.changed) : t("swap.unchanged")
  const done = report.nodes.filter((node) => node.action !== "already" || !report.changed)
  const has = (code) => done.some((node) => node.code === code)
  const plain = report.changed && !has("learns") ? "success" : "info"  // what is learnt is still to come
  if (!doubts && done.length <= 3) return toast(has("loses") ? "warn" : plain, title, done.map((node) => node.line).join("\n"))
  const offered = !options.anyway && left.some((node) => node.code === "step_distilled")
  const again = offered ? () => swap(to, nodes, { ...options, anyway: true }) : null
  reportDialog(title, report, again)
}
