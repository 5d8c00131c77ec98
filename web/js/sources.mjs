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
      const { sources, problems } = await ask("sources")
      const row = ({ name, address, line }) => make("div", { title: address }, name, make("small", {}, ` ${line}`))
      const damaged = problems.map(([name, reason]) => make("div", {}, t("panel.broken", { name, reason })))
      this.title.replaceChildren(sources.length ? t("panel.sourceCount", { count: sources.length }) : t("panel.sources"))
      this.rows.replaceChildren(...(sources.length ? sources.map(row) : [t("panel.noSource")]), ...damaged)
    } catch (problem) {
      this.rows.replaceChildren(problem.message)
    }
  }
}
