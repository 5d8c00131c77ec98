// The English texts, as the server would hand them out.

import { readFileSync } from "node:fs"
import { takeTexts } from "../../web/js/texts.mjs"

export const english = JSON.parse(readFileSync(new URL("../../locales/en/main.json", import.meta.url), "utf8"))
takeTexts({ en: english }, "en")
