// Dialogs of our own: plain elements, texts as text, Escape closes, the focus stays inside.

import { followTheme, make } from "./dom.mjs"
import { counted, look, t } from "./texts.mjs"

/** Show a dialog. buttons: [{label, kind, value}]. Resolves to the pressed button's value, or null. */
export function dialog(title, body, buttons) {
  return new Promise((resolve) => {
    const back = document.activeElement
    const close = (value) => {
      veil.remove()
      back?.focus?.({ preventScroll: true })
      resolve(value)
    }
    const pressed = buttons.map(({ label, kind, value }) => make(
      "button", { type: "button", class: kind, onclick: () => close(typeof value === "function" ? value() : value) }, label,
    ))
    const box = make("div", { class: "sd-dialog", role: "dialog", "aria-modal": "true", "aria-label": title, tabindex: "-1" },
      make("h2", {}, title), make("div", { class: "sd-body" }, ...body), make("div", { class: "sd-buttons" }, ...pressed))
    followTheme(box)
    const veil = make("div", { class: "sd-veil", onclick: (event) => event.target === veil && close(null) }, box)
    veil.addEventListener("keydown", (event) => {
      event.stopPropagation()
      if (event.key === "Escape") close(null)
      if (event.key === "Tab") keepInside(event, box)
    })
    document.body.append(veil)
    const first = pressed.at(-1) ?? box
    first.focus()
  })
}

function keepInside(event, box) {
  const stops = [...box.querySelectorAll("button, input, select")]
  const edge = event.shiftKey ? stops[0] : stops.at(-1)
  if (document.activeElement !== edge) return
  event.preventDefault()
  ;(event.shiftKey ? stops.at(-1) : stops[0]).focus()
}

/** Ask before something that cannot be undone. */
export const sure = (title, text, label) =>
  dialog(title, [make("p", {}, text)], [{ label: t("dialog.cancel"), value: false }, { label, kind: "sd-danger", value: true }])

/** What a swap did: every node, grouped by what became of it. again: offered where it would do more. */
export async function reportDialog(title, report, again) {
  const body = []
  for (const action of [...new Set(report.nodes.map((node) => node.action))]) {
    const lines = report.nodes.filter((node) => node.action === action).map((node) => make("li", {}, node.line))
    body.push(make("div", {}, make("h3", {}, t(`action.${action.replace(" ", "_")}`)), make("ul", {}, ...lines)))
  }
  const more = [
    report.warning, report.needs.length && t("swap.needs", { what: report.needs.join("; ") }),
    report.exact === false && t("swap.notExact"),
  ]
  body.push(...more.filter(Boolean).map((text) => make("p", {}, text)))
  if (report.changed) body.push(make("p", { class: "sd-quiet" }, t("swap.undo")))
  const buttons = [
    again && { label: t("swap.anyway"), value: "again" }, { label: t("dialog.close"), kind: "sd-main", value: null },
  ].filter(Boolean)
  if ((await dialog(title, body, buttons)) === "again") again()
}

const choice = (group, value, name, note, first) =>
  make(
    "label", { class: "sd-choice" }, make("input", { type: "radio", name: group, value, checked: first }),
    make("span", {}, name, note && make("div", { class: "sd-quiet" }, note)),
  )

/** Choose one of several things, [{value, label, note}]. Resolves to its value, or null. */
export function chooseOne(title, text, choices, label) {
  const list = make("div", { class: "sd-body" }, ...choices.map((each, k) => choice("sd-one", k, each.label, each.note, k === 0)))
  const picked = () => choices[Number(list.querySelector("input:checked")?.value ?? 0)].value
  return dialog(title, [make("p", {}, text), list], [{ label: t("dialog.cancel"), value: null }, { label, kind: "sd-main", value: picked }])
}

/** Choose a record of the store, and one of several ways. records: as the route lists them, the fitting first: one of another model
 * is never chosen already. Resolves to {record, way} or null. */
export async function chooseRecord(title, text, records, ways, label) {
  if (!records.length) {
    await dialog(title, [make("p", {}, t("choose.none"))], [{ label: t("dialog.close"), kind: "sd-main", value: null }])
    return null
  }
  const list = make(
    "div", { class: "sd-body" },
    ...records.map((each, k) => fitting(choice("sd-record", each.name, each.title || each.name, recordWords(each), k === 0 && each.fit !== "other"), each)),
  )
  const offered = ways.length > 1 ? make(
    "div", { class: "sd-body" }, ...ways.map(({ value, label, note }, k) => choice("sd-way", value, label, note, k === 0)),
  ) : null
  const picked = (box) => box?.querySelector("input:checked")?.value
  const chosen = () => (picked(list) ? { record: picked(list), way: picked(offered) ?? ways[0]?.value } : null)
  return dialog(title, [make("p", {}, text), list, offered], [
    { label: t("dialog.cancel"), value: null }, { label, kind: "sd-main", value: chosen },
  ])
}

/** How a record fits what it is chosen for, below its own line. */
function fitting(row, { fit, differs }) {
  const said = look(`fit.${fit}`) && t(`fit.${fit}`, { how: differs })
  if (said) row.lastElementChild.append(make("div", { class: "sd-fit", dataset: { fit } }, said))
  return row
}

/** A record of the store in one line. */
export function recordWords(record) {
  const [low, high] = record.steps
  const parts = [record.samplers.join(", "), record.steps_words ?? (low === high ? counted("plot.count", high) : t("panel.steps", { low, high }))]
  if (record.under) parts.push(record.under)
  return [...parts, record.created.replace("T", " ").replace(/(:\d\d)?Z$/, "")].join(" · ")
}
