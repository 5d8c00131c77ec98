// Small helpers for the page. Texts go in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg"

/** An element: tag, properties (class, title, dataset, on<event>, attributes), children (elements or texts). */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "dataset") Object.assign(element.dataset, value)
    else element.setAttribute(name, value === true ? "" : String(value))
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

/** An SVG element out of a plain shape, {tag, attributes, text}. */
export function svg({ tag, attributes = {}, text }) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  if (text !== undefined) element.textContent = text
  return element
}

/** Whether the page's palette is a light one, judged by what is on the screen. */
export function isLight() {
  const style = getComputedStyle(document.body), colour = style.getPropertyValue("--comfy-menu-bg").trim() || style.backgroundColor
  const probe = make("span", { style: "display:none" })
  probe.style.color = colour
  document.body.append(probe)
  const parts = getComputedStyle(probe).color.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0]
  probe.remove()
  return (0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]) > 140
}

/** Let a text that may be longer than its place fade at its end while there is more below; the same element. */
export function fading(element) {
  const look = () => element.classList.toggle("sd-more", element.scrollTop + element.clientHeight < element.scrollHeight - 2)
  element.addEventListener("scroll", look)
  new ResizeObserver(look).observe(element)  // also when it comes into the page
  return element
}

/** Let an element say texts as far as it has room, cut between words and never inside one; the whole is its title, where it has no
 * other. Returns say(text). */
export function byWords(element) {
  let whole = "", given = element.title
  const over = () => element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1
  const fit = () => {
    element.textContent = whole
    if (!element.clientWidth || !over()) return
    const words = whole.split(" ")
    element.textContent = shortened(words, mostWords(words, (count) => {
      element.textContent = shortened(words, count)
      return !over()
    }))
  }
  new ResizeObserver(fit).observe(element)  // also when it comes into the page
  return (text) => {
    if (text === whole) return
    whole = text
    if (!given) element.title = text
    fit()
  }
}

/** The first words of a text, and a sign that there are more. */
export const shortened = (words, count) => (count < words.length ? `${words.slice(0, count).join(" ").replace(/[,;:.]$/, "")} …` : words.join(" "))

/** How many words fit: at least one. fits(count): whether so many do. */
export function mostWords(words, fits) {
  let low = 1, high = words.length
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    fits(middle) ? (low = middle) : (high = middle - 1)
  }
  return low
}

/** A span that says a text by whole words; see byWords. */
export function worded(properties, text) {
  const element = make("span", properties)
  byWords(element)(text)
  return element
}

const themed = new Set()

/** Keep an element's class `sd-light` right while the theme changes; elements that have left the page are forgotten. */
export function followTheme(element) {
  themed.add(new WeakRef(element))
  element.classList.toggle("sd-light", isLight())
}

/** Look at the theme again for all of them. */
export function themeChanged() {
  const light = isLight()
  for (const reference of themed) {
    const element = reference.deref()
    element ? element.classList.toggle("sd-light", light) : themed.delete(reference)
  }
}

/** Add the style sheet, once. */
export function addStyle() {
  if (document.querySelector("link[data-stepdistill]")) return
  document.head.append(make(
    "link", { rel: "stylesheet", href: new URL("./stepdistill.css", import.meta.url).href, "data-stepdistill": true },
  ))
}
