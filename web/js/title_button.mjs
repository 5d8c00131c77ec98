// A button in a node's title, drawn by the canvas: for a node that has no room for a row of its own. Vue nodes draw none.

const LOOK = { fontSize: 11, height: 18, padding: 7, cornerRadius: 4, yOffset: 0, xOffset: -6 }
const FONT = `${LOOK.fontSize}px Inter, Arial, sans-serif`  // the page draws a button's text in a font of icons

/** Give a node such a button, hidden. Answers show(whether), or null where this page has none. */
export function titleButton(node, name, label, act) {
  const button = node.addTitleButton?.({ name, text: "", ...LOOK })
  if (!button) return null
  button.getWidth = (context) => (button.visible ? measured(context, button.text) + 2 * LOOK.padding : 0)
  button.draw = (context, x, y) => button.visible && drawn(button, context, x + LOOK.xOffset, y)
  const pressed = node.onTitleButtonClick
  node.onTitleButtonClick = function (which, ...rest) {
    return which === button ? act() : pressed?.call(this, which, ...rest)
  }
  return (shown) => (button.text = shown ? label : "")  // one without a text is not drawn
}

function measured(context, text) {
  context.save()
  context.font = FONT
  const { width } = context.measureText(text)
  context.restore()
  return width
}

function drawn(button, context, x, y) {
  const width = button.getWidth(context)
  ;[x, y, width, LOOK.height].forEach((value, k) => (button._last_area[k] = value))  // where it is pressed
  context.save()
  context.strokeStyle = context.fillStyle  // the title's own colour
  context.globalAlpha = 0.6
  context.beginPath()
  context.roundRect(x, y, width, LOOK.height, LOOK.cornerRadius)
  context.stroke()
  context.globalAlpha = 1
  Object.assign(context, { font: FONT, textAlign: "center", textBaseline: "middle" })
  context.fillText(button.text, x + width / 2, y + LOOK.height / 2 + 1)
  context.restore()
}
