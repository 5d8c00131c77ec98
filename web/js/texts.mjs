// The words of the page: locales/<language>/main.json, as the server hands them out under /i18n. English stands in for what is missing.

let chosen = {}, english = {}

/** Take the texts of a language. all: what /i18n answers; language: such as "de". */
export function takeTexts(all, language) {
  english = all?.en?.stepdistill ?? {}
  chosen = all?.[language]?.stepdistill ?? {}
}

/** The text under "group.name", {places} filled in; what nobody has written shows its own key. */
export function t(key, values = {}) {
  const found = look(key) ?? key
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole))
}

/** "1 step", "6 steps": the text under key + ".one" or ".many", with {count}. */
export function counted(key, count) {
  return t(`${key}.${count === 1 ? "one" : "many"}`, { count: count.toLocaleString("en") })
}

/** The text under a key, or undefined. */
export function look(key) {
  return within(chosen, key) ?? within(english, key)
}

function within(texts, key) {
  const found = key.split(".").reduce((at, part) => (at && typeof at === "object" ? at[part] : undefined), texts)
  return typeof found === "string" ? found : undefined
}
