// The page's undo: a change of ours is one step of it, and what a run leaves on a node is none.

import { allNodes, app, openGraph, rootGraph } from "./host.mjs"

const FRAMES = 12  // at most, until cards and Vue nodes have their sizes
const PATIENCE = 400  // milliseconds: a page in the background draws no frames

const tracker = () => app.extensionManager?.workflow?.activeWorkflow?.changeTracker

/** Load a workflow in the place of the open one, as one step of its history; the subgraph that was open stays open.
 * then(): what else belongs to the step. */
export async function loadAsOneStep(state, then = () => {}) {
  const open = openGraph() === rootGraph() ? null : openGraph().id
  const history = tracker()
  if (history?.updateState && Array.isArray(history.undoQueue)) await stepTo(state, history, open, then)
  else {
    await app.loadGraphData(state, false, false)
    then()
    lookInto(open)
  }
  app.canvas.setDirty(true, true)
}

async function stepTo(state, history, open, then) {
  history.captureCanvasState ? history.captureCanvasState() : history.checkState()
  history.redoQueue.length = 0
  history.beforeChange?.()  // nothing is captured meanwhile
  try {
    await history.updateState([state], history.undoQueue)
    then()
    lookInto(open)
    const steps = history.undoQueue.length
    await settled()
    // The page has completed what it loaded: compared with the bare state, it would be a step of its own.
    if (history.undoQueue.length === steps) history.activeState = JSON.parse(JSON.stringify(rootGraph().serialize()))
  } finally {
    history.afterChange?.()
  }
}

function lookInto(open) {
  const inner = open && rootGraph().subgraphs?.get(open)
  if (inner && openGraph() !== inner) app.canvas.setGraph(inner)
}

/** When two frames in a row have left every node its size. */
function settled() {
  const sizes = () => allNodes().map((node) => [...node.size].join()).join(";")
  const frames = new Promise((done) => {
    const look = (before, left, still) => requestAnimationFrame(() => {
      const now = sizes()
      const again = now === before ? still + 1 : 0
      left === 0 || again === 2 ? done() : look(now, left - 1, again)
    })
    look("", FRAMES, 0)
  })
  return Promise.race([frames, new Promise((done) => setTimeout(done, PATIENCE))])
}

/** A node is changed without the user: undo has no step for it. */
export function noStep(node, change) {
  change()
  presently(node)
  requestAnimationFrame(() => requestAnimationFrame(() => presently(node)))  // the page's own layout may have made it taller
}

/** The history's present takes over a node's size and properties. */
function presently(node) {
  const state = tracker()?.activeState
  const graph = node.graph === rootGraph() ? state : state?.definitions?.subgraphs?.find((each) => each.id === node.graph?.id)
  const kept = graph?.nodes?.find((each) => String(each.id) === String(node.id) && each.type === node.type)
  if (!kept) return
  kept.size = [...node.size]
  kept.properties = JSON.parse(JSON.stringify(node.properties ?? {}))
}
