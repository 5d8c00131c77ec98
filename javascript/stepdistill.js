// The panel of A1111, Forge and reForge follows the host: checkpoint switches, other pages and tabs, a
// running job. It asks often while it is unfolded, a job runs or a picture waits, else now and then; the
// answers come through Gradio, which the host's own log-in guards.
(() => {
    const TABS = ["txt2img", "img2img"];
    const EVERY = 2000; // milliseconds
    const FOLDED = 5; // of these, while the panel is folded
    const part = (tab, name) =>
        gradioApp().querySelector(`#script_${tab}_stepdistill_stepdistill_${name}`);
    const button = (found) => (found && found.tagName !== "BUTTON" ? found.querySelector("button") : found);
    const press = (tab, name) => button(part(tab, name))?.click();
    const seen = (element) => !!element && element.offsetParent !== null;
    const waits = () =>
        [...gradioApp().querySelectorAll(".progressDiv")].some((bar) => bar.innerText.includes("queue"));
    const MASKS = ["img2img_inpaint_tab", "img2img_inpaint_sketch_tab", "img2img_inpaint_upload_tab"];
    // A tab for inpainting is told of in a field of ours: the host has no name for which one is chosen.
    const tellMask = (tab) => {
        const field = part(tab, "mask")?.querySelector("textarea, input");
        const told = tab === "img2img" && MASKS.some((id) => seen(document.getElementById(id))) ? "1" : "";
        if (!field || field.value === told) return;
        field.value = told;
        field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const known = new Set();
    let asked = 0;

    const follow = () => {
        if (document.hidden) return;
        asked += 1;
        for (const tab of TABS) {
            const open = seen(part(tab, "learn"));
            const busy = seen(part(tab, "interrupt")) || waits();
            if (!open && !busy && known.has(tab) && asked % FOLDED) continue;
            if (!part(tab, "poll")) continue;
            known.add(tab);
            tellMask(tab);
            press(tab, "poll");
            if (open && !known.has(`${tab} opened`)) {
                known.add(`${tab} opened`);
                press(tab, "opened");
            }
        }
    };

    onUiLoaded(() => {
        const style = document.createElement("style");
        style.textContent = `
            .stepdistill-unseen { display: none !important; }
            .stepdistill-row { gap: 8px !important; align-items: flex-end !important; margin-top: 4px; }
            .stepdistill-row button.lg, .stepdistill-row > button {
                min-height: 42px; max-height: 42px; align-self: flex-end; white-space: nowrap;
            }
        `;
        document.head.appendChild(style);
        follow();
        setInterval(follow, EVERY);
    });
})();
