// Vue nodes keep the badge (and other parts) of a node where the next workflow, or undo, has another kind of node of the same id: so a core
// KSampler would go on wearing ours. An empty page between the two makes them anew.

import { allNodes, rootGraph } from "./host.mjs"

const PATIENCE = 200  // milliseconds: a page in the background draws no frames

/** Before a workflow is loaded. data: as it was saved. */
export async function letGo(data) {
  if (!window.LiteGraph?.vueNodesMode || !Array.isArray(data?.nodes)) return
  const next = new Map(data.nodes.map((node) => [String(node?.id), node?.type]))
  const ours = (type) => String(type).startsWith("StepDistill")
  const another = ({ id, type }) => next.has(String(id)) && next.get(String(id)) !== type && (ours(type) || ours(next.get(String(id))))
  const graph = rootGraph()
  if (!allNodes(graph).some((node) => node.graph === graph && another(node))) return
  graph.clear()
  const frames = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  await Promise.race([frames, new Promise((done) => setTimeout(done, PATIENCE))])
}
