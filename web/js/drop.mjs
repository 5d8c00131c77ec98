// A record file dropped on the canvas becomes a node that is ready: Load Record, with the record in the store, or Record from Text.

import { dialog } from "./dialogs.mjs"
import { make } from "./dom.mjs"
import { app, ask, openGraph, rootGraph, toast } from "./host.mjs"
import { carriedBy } from "./picture.mjs"
import { freePlace } from "./place.mjs"
import { isRecord, LARGEST, looksLikeRecord } from "./recordfile.mjs"
import { t } from "./texts.mjs"

/** Take record files out of what the page would open as workflows, and records out of pictures that it opens. */
export function dropped() {
  const before = app.handleFile
  if (typeof before !== "function") return
  app.handleFile = async function (file, ...rest) {
    if (await takeRecord(file)) return undefined
    const carried = await carriedBy(file).catch(() => null)
    const opened = await before.call(this, file, ...rest)
    if (carried) rootGraph().extra = { ...rootGraph().extra, ...carried }
    return opened
  }
}

/** Whether a file is a record (dealt with then); a file that says it is one and is too large is refused. */
export async function takeRecord(file) {
  if (!file || !/\.json$/i.test(file.name ?? "")) return false
  if (!looksLikeRecord(await file.slice(0, 4096).text())) return false
  if (file.size > LARGEST) {
    refuseLarge(file)
    return true
  }
  const text = await file.text()
  if (!isRecord(text)) return false
  await offer(text)
  return true
}

export function refuseLarge(file) {
  toast("error", t("drop.large"), t("drop.largeHow", { name: file.name, size: Math.round(file.size / 1e6), most: LARGEST / 1e6 }))
}

/** Ask what is to become of a record, and do it. */
async function offer(text) {
  try {
    const found = await ask("read", { text })
    const body = [make("p", {}, found.about.replace(/: {2,}/g, ": ")), make("p", { class: "sd-quiet" }, t("drop.which"))]
    const buttons = [
      { label: t("dialog.cancel"), value: null }, { label: t("drop.text"), value: "text" },
      { label: t("drop.keep"), kind: "sd-main", value: "keep" },
    ]
    const way = await dialog(t("drop.title", { name: found.title || t("drop.unnamed") }), body, buttons)
    if (way === "keep") {
      const { name, note } = await ask("keep", { text })
      if (note) toast("info", t("panel.imported"), `${name} ${note}`)
      addLoad(name)
    }
    if (way === "text") addNode("StepDistillFromText", { text })
  } catch (problem) {
    toast("error", t("drop.refused"), problem.message)
  }
}

/** A Load Record node for a record of the store, which its list may not have yet. */
export function addLoad(name) {
  const node = addNode("StepDistillLoad", {})
  const widget = node?.widgets?.find((each) => each.name === "name")
  if (!widget) return null
  const values = widget.options?.values
  if (Array.isArray(values) && !values.includes(name)) values.unshift(name)
  widget.value = name
  widget.callback?.(name)
  return node
}

/** A node in the middle of what is seen, or as near as there is room, as one step of the history. */
export function addNode(type, values) {
  const node = window.LiteGraph.createNode(type)
  if (!node) return toast("error", t("drop.noNode", { type })), null
  const canvas = app.canvas, { scale, offset } = canvas.ds, box = canvas.canvas.getBoundingClientRect()
  const middle = [box.width / 2 / scale - offset[0] - node.size[0] / 2, box.height / 2 / scale - offset[1] - 60]
  node.pos = freePlace(middle, node.size, openGraph().nodes ?? [])
  for (const [name, value] of Object.entries(values)) {
    const widget = node.widgets?.find((each) => each.name === name)
    if (widget) widget.value = value
  }
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker
  tracker?.beforeChange?.()
  openGraph().add(node)
  tracker?.afterChange?.()
  canvas.setDirty(true, true)
  return node
}
