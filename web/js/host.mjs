// What is asked of ComfyUI's page: its app and api, graphs, nodes by their ids in a run, and the server's routes of ours.

import { app } from "../../../scripts/app.js"
import { api } from "../../../scripts/api.js"

export { api, app }

/** The whole graph, wherever the user looks at. */
export const rootGraph = () => app.rootGraph ?? app.graph

/** The graph, or subgraph, that the user looks at. */
export const openGraph = () => app.canvas?.graph ?? rootGraph()

/** The node of a run's id: "5", or "12:5" for node 5 inside the subgraph of node 12. */
export function nodeOf(id) {
  let graph = rootGraph(), node = null
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(Number(part)) ?? graph?.getNodeById(part)
    graph = node?.subgraph
  }
  return node ?? null
}

/** The ids that a node has in a run: one for each place where its subgraph stands. */
export function runIds(node, graph = rootGraph(), before = "") {
  return (graph?.nodes ?? graph?._nodes ?? []).flatMap((each) => {
    if (each === node) return [`${before}${each.id}`]
    return each.subgraph ? runIds(node, each.subgraph, `${before}${each.id}:`) : []
  })
}

/** Every node of the graph and of its subgraphs, each once. */
export function allNodes(graph = rootGraph(), seen = new Set()) {
  if (!graph || seen.has(graph)) return []
  seen.add(graph)
  return (graph.nodes ?? graph._nodes ?? []).flatMap((node) => [node, ...(node.subgraph ? allNodes(node.subgraph, seen) : [])])
}

/** An answer of one of our routes; throws an Error with the server's own sentence. data: what is sent, by POST. */
export async function ask(path, data) {
  const options = data === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) }
  const response = await api.fetchApi(`/stepdistill/${path}`, { cache: "no-store", ...options })
  const answer = await response.json().catch(() => null)
  if (!response.ok || !answer) throw new Error(answer?.error ?? `HTTP ${response.status}`)
  return answer
}

/** One of our settings. */
export function setting(name, otherwise) {
  try {
    const id = `StepDistill.${name}`
    return app.extensionManager?.setting?.get?.(id) ?? app.ui?.settings?.getSettingValue?.(id) ?? otherwise
  } catch {
    return otherwise
  }
}

/** A short message in the page's corner. severity: "success", "info", "warn" or "error". */
export function toast(severity, summary, detail = "") {
  const life = severity === "error" ? undefined : 6000
  app.extensionManager?.toast?.add({ severity, summary, detail, life })
}
