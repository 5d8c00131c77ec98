// StepDistill's part of ComfyUI's page. The host imports every .js here; everything else is in modules named .mjs.

import { addStyle, themeChanged } from "./dom.mjs"
import { dropped } from "./drop.mjs"
import { follow } from "./foretold.mjs"
import { api, app } from "./host.mjs"
import { canvasItems, commands, nodeItems, prepareMenus, toolboxCommands } from "./menu.mjs"
import { addPanel } from "./panel.mjs"
import { refreshLabels } from "./record_labels.mjs"
import { letGo } from "./same_id.mjs"
import { followRecords, offerRecords } from "./seldom_used.mjs"
import { settings } from "./settings.mjs"
import { addCard, executed, hasCard, listen, opened, restore } from "./shown.mjs"
import { orderTemplates } from "./templates.mjs"
import { takeTexts } from "./texts.mjs"

async function loadTexts() {
  try {
    const all = await (await api.fetchApi("/i18n")).json()
    takeTexts(all, app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? navigator.language.split("-")[0])
  } catch (problem) {
    console.warn("StepDistill: its texts could not be loaded.", problem)
  }
}

addStyle()
orderTemplates()
await Promise.all([loadTexts(), refreshLabels()])

app.registerExtension({
  name: "StepDistill",
  settings: settings(),
  commands: commands(),
  menuCommands: [{ path: ["Extensions", "StepDistill"], commands: commands().map((command) => command.id) }],
  getNodeMenuItems: nodeItems,
  getCanvasMenuItems: canvasItems,
  getSelectionToolboxCommands: toolboxCommands,

  refreshComboInNodes: refreshLabels,

  beforeConfigureGraph: letGo,

  afterConfigureGraph() {
    offerRecords()
    opened()
  },

  async setup() {
    listen()
    await prepareMenus()
    addPanel()
    dropped()
    new MutationObserver(themeChanged).observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class"] })
    new MutationObserver(themeChanged).observe(document.body, { attributes: true, attributeFilter: ["style", "class"] })
  },

  beforeRegisterNodeDef(type, definition) {
    if (!hasCard(definition.name)) return
    const before = type.prototype.onExecuted
    type.prototype.onExecuted = function (output, ...rest) {
      before?.call(this, output, ...rest)
      executed(this, output)
    }
    const configured = type.prototype.onConfigure
    type.prototype.onConfigure = function (...given) {
      configured?.apply(this, given)
      restore(this)
    }
  },

  nodeCreated(node) {
    follow(node)
    followRecords(node)
    if (hasCard(node.comfyClass)) addCard(node)
  },
})
