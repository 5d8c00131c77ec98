// Which workflow a run belongs to: it may be another than the one that is looked at now, whose nodes have the same ids. What such a run
// shows waits until its own workflow is open again.

import { api, app } from "./host.mjs"

const MOST = 200  // runs that are remembered
const owners = new Map()  // of a run's id: the workflow that was queued
const waiting = new WeakMap()  // of a workflow: {a node's id in a run: what it has to show}
let running = null

const raw = (workflow) => workflow?.__v_raw ?? workflow ?? null
const open = () => raw(app.extensionManager?.workflow?.activeWorkflow)

/** Follow what is queued and run. */
export function followRuns() {
  const queue = api.queuePrompt
  api.queuePrompt = async function (...given) {
    const workflow = open()
    const answer = await queue.apply(this, given)
    if (answer?.prompt_id && workflow) owners.set(answer.prompt_id, workflow)
    if (owners.size > MOST) owners.delete(owners.keys().next().value)
    return answer
  }
  api.addEventListener("execution_start", ({ detail }) => (running = detail?.prompt_id ?? null))
  api.addEventListener("executed", ({ detail }) => {
    if (detail?.output?.stepdistill && elsewhere()) keep(detail.node, detail.output)
  })
}

/** Whether what runs belongs to another workflow than the one that is open. */
export function elsewhere() {
  const workflow = owners.get(running)
  return workflow !== undefined && workflow !== open()
}

/** Keep what a node of that other workflow has to show. node: its id in the run. */
export function keep(node, output) {
  const workflow = owners.get(running)
  if (!waiting.has(workflow)) waiting.set(workflow, new Map())
  waiting.get(workflow).set(String(node), output)
}

/** What waits for the workflow that is open now, once: [[a node's id in a run, what it has to show]]. */
export function waited() {
  const workflow = open(), found = workflow && waiting.get(workflow)
  if (found) waiting.delete(workflow)
  return [...(found ?? [])]
}
