// A node's own widgets and links, heard when they change.

/** Call `later` whenever a widget or link of a node changes, our card aside. */
export function onChange(node, later) {
  for (const widget of node.widgets ?? []) {
    if (widget.type === "stepdistill") continue
    const before = widget.callback
    widget.callback = function (...given) {
      later()
      return before?.apply(this, given)
    }
  }
  const connected = node.onConnectionsChange
  node.onConnectionsChange = function (...given) {
    later()
    return connected?.apply(this, given)
  }
}
