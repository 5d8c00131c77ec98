// What a picture that was queued through the API carries: a picture of the page has it in its workflow already.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const OURS = /^stepdistill_\w+$/
const LARGEST = 64e6  // bytes of a picture that is looked into

/** {name: data} of what our nodes wrote into a PNG that holds no workflow; null where there is nothing. */
export async function carriedBy(file) {
  if (!/\.png$/i.test(file?.name ?? "") || file.size > LARGEST) return null
  const texts = textsOf(new DataView(await file.arrayBuffer()))
  if (texts.has("workflow")) return null
  const found = [...texts].filter(([name]) => OURS.test(name)).map(([name, text]) => [name, parsed(text)])
  const sound = found.filter(([, data]) => data && typeof data === "object")
  return sound.length ? Object.fromEntries(sound) : null
}

/** The plain texts (tEXt) of a PNG, by name. */
export function textsOf(view) {
  const texts = new Map()
  if (view.byteLength < 8 || SIGNATURE.some((byte, k) => view.getUint8(k) !== byte)) return texts
  const letters = new TextDecoder("latin1")
  for (let at = 8; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at)
    const kind = letters.decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, 4))
    if (kind === "tEXt" && at + 8 + size <= view.byteLength) {
      const text = letters.decode(new Uint8Array(view.buffer, view.byteOffset + at + 8, size))
      const end = text.indexOf("\0")
      if (end > 0) texts.set(text.slice(0, end), text.slice(end + 1))
    }
    at += 12 + size
  }
  return texts
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
