// Our example workflows in their own order: the host lists files as its disk does.

import { api } from "./host.mjs"

const PACK = new URL(import.meta.url).pathname.split("/extensions/")[1]?.split("/")[0]

/** Have the host's list of templates name ours in order; those of other packs stay as they are. */
export function orderTemplates() {
  const before = api.getWorkflowTemplates
  if (!before || !PACK) return
  api.getWorkflowTemplates = async function (...given) {
    const found = await before.apply(this, given)
    if (Array.isArray(found?.[PACK])) found[PACK].sort()
    return found
  }
}
