// The dialog that shows the current order as code.

import { $, toast } from "./dom.js";
import { t } from "./i18n.js";
import { usesOnce } from "./order.js";
import { canExpress, KINDS, snippet } from "./snippets.js";
import { recall } from "./store.js";

export class CopyAs {
  constructor({ order }) {
    this.order = order;
    $("copy-open").addEventListener("click", () => this.open());
    for (const radio of document.querySelectorAll("[name=snippet]")) radio.addEventListener("change", () => this.#draw());
    $("copy").addEventListener("click", () => this.#copy());
  }

  open() {
    const order = this.order();
    for (const kind of KINDS) {
      const radio = document.querySelector(`[name=snippet][value=${kind}]`);
      radio.disabled = !canExpress(kind, order);
      if (radio.disabled && radio.checked) document.querySelector("[name=snippet][value=curl]").checked = true;
    }
    $("copy-no-dialogue").hidden = canExpress("openai", order);
    $("copy-reference").hidden = !usesOnce(order);
    $("copy-key").hidden = !recall("key", "");
    this.#draw();
    $("copy-dialog").showModal();
  }

  #draw() {
    const kind = document.querySelector("[name=snippet]:checked").value;
    const base = new URL(".", location.href).href.replace(/\/$/, "");
    $("snippet").textContent = snippet(kind, this.order(), { base, hasKey: Boolean(recall("key", "")) });
  }

  async #copy() {
    const text = $("snippet").textContent;
    try {
      await navigator.clipboard.writeText(text);
      toast(t("copy.done"));
    } catch {
      // there is no clipboard without https: select the code for Ctrl+C
      getSelection().selectAllChildren($("snippet"));
      toast(t("copy.selected"));
    }
  }
}
