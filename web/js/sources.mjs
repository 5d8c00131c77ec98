// The sources of other people's records that the user has added: a folded list, to be read only.

import { make } from "./dom.mjs"
import { ask } from "./host.mjs"
import { t } from "./texts.mjs"

/** `element` for the panel; `refresh` asks this server what it has at hand, which asks no source. */
export class SourceList {
  constructor() {
    this.title = make("summary", {}, t("panel.sources"))
    this.rows = make("div", { class: "sd-quiet" })
    this.element = make("details", { class: "sd-sources" }, this.title, this.rows)
  }

  async refresh() {
    try {
      const { sources, problems, adding } = await ask("sources")
      const row = ({ name, address, line }) => make("div", { title: address }, name, make("small", {}, ` ${line}`))
      const damaged = problems.map(([name, reason]) => make("div", {}, t("panel.broken", { name, reason })))
      this.title.replaceChildren(sources.length ? t("panel.sourceCount", { count: sources.length }) : t("panel.sources"))
      const how = make("div", {}, t(sources.length ? "panel.addSource" : "panel.noSource"))
      this.rows.replaceChildren(...sources.map(row), ...damaged, how, command(adding))
    } catch (problem) {
      this.rows.replaceChildren(problem.message)
    }
  }
}

/** A command in one line, to be copied. */
function command(text) {
  const copy = async () => {
    await navigator.clipboard?.writeText(text)
    button.textContent = t("panel.copied")
  }
  const button = make("button", { type: "button", class: "sd-plain", onclick: () => void copy() }, t("panel.copy"))
  return make("div", { class: "sd-command" }, make("input", { type: "text", readonly: true, value: text, title: text }), button)
}
