// Buttons that need the server's models and voices: a click that comes before these are known counts once they are.

/** `isKnown()` is called at each click, and `whenKnown()` resolves to whether they are known by then; it shows why not. */
export function holdClicks(isKnown, whenKnown) {
  const held = new Set();
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-needs-lists]");
    if (!button || isKnown()) return;
    event.preventDefault();
    event.stopPropagation();
    if (held.has(button)) return;
    held.add(button);
    button.classList.add("busy");
    const mayGoOn = await whenKnown();
    button.classList.remove("busy");
    held.delete(button);
    if (mayGoOn) button.click();
  }, { capture: true });
}
