// Which files are records, by their text alone; the server's strict parser has the last word.

export const LARGEST = 4_000_000  // bytes, as in the parser

/** Whether the beginning of a file says that it is a record. */
export const looksLikeRecord = (head) => /^\uFEFF?\s*\{\s*"stepdistill"\s*:\s*\d/.test(head)

/** Whether a text is a record and not a workflow that happens to begin like one. */
export function isRecord(text) {
  try {
    const found = JSON.parse(text.replace(/^\uFEFF/, ""))
    return Number.isInteger(found?.stepdistill) && !Array.isArray(found.nodes)
  } catch {
    return true  // it says that it is one: the server names what is wrong with it
  }
}
