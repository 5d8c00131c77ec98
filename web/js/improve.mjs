// Improve: so many model calls on a better recipe before the next picture of a Few-Step KSampler. The price is said first, and what it
// brought afterwards.

import { chooseOne } from "./dialogs.mjs"
import { allNodes, api, app, ask, runIds, toast } from "./host.mjs"
import { missing } from "./missing.mjs"
import { counted, t } from "./texts.mjs"

export const KIND = "StepDistillKSampler"
const USUAL = 6  // steps, where the node finds them itself
const awaited = new Set()

/** The Few-Step KSamplers among some nodes; null: of the whole workflow. */
export const improvable = (nodes) => (nodes ?? allNodes()).filter((node) => node.type === KIND)

/** Ask how much is to be spent on some nodes' recipes, then draw. */
export async function improve(nodes) {
  const found = improvable(nodes)
  if (!found.length) return toast("info", t("improve.none"), t("improve.noneHow"))
  const lacks = found.map(missing).find(Boolean)
  if (lacks) return toast("warn", t("improve.failed"), lacks)
  try {
    const calls = await chosenCalls(found)
    if (calls === null) return
    for (const id of found.flatMap((node) => runIds(node))) {
      await ask("improve", { node: id, calls, client: api.clientId })
      awaited.add(id)
    }
    await app.queuePrompt(0)
  } catch (problem) {
    toast("error", t("improve.failed"), problem.message)
  }
}

/** A node has run: say what improving brought, where it was asked for. learning: of the node's answer. */
export function improved(node, learning) {
  const mine = runIds(node).filter((id) => awaited.delete(id))
  if (!mine.length || !learning) return
  const better = learning.improved === true && learning.changed === true
  const brought = String(learning.brought ?? "")
  better ? toast("success", t("improve.better"), brought) : toast("info", t("improve.same"), brought)
}

async function chosenCalls(nodes) {
  const steps = nodes[0].widgets?.find((widget) => widget.name === "steps")?.value || USUAL
  const { prices } = await ask(`improve?steps=${steps}`)
  const choices = prices.map(({ calls, text }) => ({ value: calls, label: counted("improve.calls", calls), note: text }))
  const text = [t("improve.text"), nodes.length > 1 && t("improve.each", { count: nodes.length })].filter(Boolean).join(" ")
  return chooseOne(t("improve.title"), text, choices, t("improve.now"))
}
