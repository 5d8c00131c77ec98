// What a node lacks to run: an input that nothing feeds, or a model file that is not there. Asked before a price is named.

import { t } from "./texts.mjs"

const FILES = new Set(["ckpt_name", "unet_name", "model_name", "gguf_name"])
const NEEDED = ["model", "positive", "negative", "latent_image"]
const MOST = 200  // nodes on the way up

/** What a node lacks, in one sentence, or "". */
export function missing(node) {
  const open = NEEDED.filter((name) => (node.inputs ?? []).some((input) => input.name === name && input.link == null))
  if (open.length) return t(open[0] === "model" ? "missing.model" : "missing.input", { name: open[0].replace("_", " ") })
  const file = absentFile(node)
  return file === null ? "" : file ? t("missing.file", { name: file }) : t("missing.noFile")
}

/** The name of the first model file that a loader before a node asks for and the server does not list; null where all are there. */
function absentFile(node) {
  for (const loader of before(node)) {
    for (const widget of loader.widgets ?? []) {
      if (!FILES.has(widget.name)) continue
      const listed = listOf(widget, loader)
      if (Array.isArray(listed) && !listed.includes(widget.value)) return typeof widget.value === "string" ? widget.value : ""
    }
  }
  return null
}

function listOf(widget, loader) {
  const values = widget.options?.values
  return typeof values === "function" ? values(widget, loader) : values
}

/** The nodes that a node's model comes through, nearest first. */
function before(node) {
  const seen = new Set(), waiting = [node]
  while (waiting.length && seen.size < MOST) {
    const here = waiting.shift()
    for (const [slot, input] of (here.inputs ?? []).entries()) {
      const follow = here === node ? input.name === "model" : input.type === "MODEL" || input.type === "*"
      const next = follow ? here.getInputNode?.(slot) : null
      if (next && !seen.has(next)) waiting.push(next) && seen.add(next)
    }
  }
  return seen
}
