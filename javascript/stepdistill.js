// The panel of A1111, Forge and reForge follows the host: checkpoint switches, other pages and tabs, a
// running job. It asks while it is unfolded, and once when the page is there; the answers come through
// Gradio, which the host's own log-in guards.
(() => {
    const TABS = ["txt2img", "img2img"];
    const EVERY = 2000; // milliseconds
    const part = (tab, name) =>
        gradioApp().querySelector(`#script_${tab}_stepdistill_stepdistill_${name}`);
    const button = (found) => (found && found.tagName !== "BUTTON" ? found.querySelector("button") : found);
    const press = (tab, name) => button(part(tab, name))?.click();
    const seen = (element) => !!element && element.offsetParent !== null;
    const known = new Set();

    const follow = () => {
        if (document.hidden) return;
        for (const tab of TABS) {
            const open = seen(part(tab, "learn"));
            if (!open && known.has(tab)) continue;
            if (!part(tab, "poll")) continue;
            known.add(tab);
            press(tab, "poll");
            if (open && !known.has(`${tab} opened`)) {
                known.add(`${tab} opened`);
                press(tab, "opened");
            }
        }
    };

    onUiLoaded(() => {
        const style = document.createElement("style");
        style.textContent = ".stepdistill-unseen { display: none !important; }";
        document.head.appendChild(style);
        setInterval(follow, EVERY);
    });
})();
