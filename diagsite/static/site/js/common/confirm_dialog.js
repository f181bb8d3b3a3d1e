// Asks before doing what cannot be undone.

import { h } from "./dom.js";

/** Resolves to true when the person agrees. Escape and "no" are the same answer. */
export function confirmed({ title, message, yes, no }) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "modal", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-message" },
      h("h2", { id: "confirm-title" }, title),
      h("p", { id: "confirm-message" }, message),
      h(
        "div",
        { class: "modal-actions" },
        h("button", { type: "button", class: "button quiet", autofocus: true, onclick: () => dialog.close() }, no),
        h("button", { type: "button", class: "button primary", onclick: () => dialog.close("yes") }, yes),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
