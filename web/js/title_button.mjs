// A button in a node's title, drawn by the canvas: for a node that has no room for a row of its own. Vue nodes draw none.

const LOOK = { fontSize: 11, height: 18, padding: 6, cornerRadius: 4, yOffset: 0, xOffset: -8, fgColor: "#eee", bgColor: "#0068a8" }

/** Give a node such a button, hidden. Answers show(whether), or null where this page has none. */
export function titleButton(node, name, label, act) {
  const button = node.addTitleButton?.({ name, text: "", ...LOOK })
  if (!button) return null
  const pressed = node.onTitleButtonClick
  node.onTitleButtonClick = function (which, ...rest) {
    return which === button ? act() : pressed?.call(this, which, ...rest)
  }
  return (shown) => (button.text = shown ? label : "")  // one without a text is not drawn
}
