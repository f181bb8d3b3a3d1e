// A dialog that asks before an action that cannot be undone.

import { h } from "./dom.js";

/** Resolves to true when the user agrees, to false on `no` and Escape. */
export function confirmDialog({ title, message, yes, no }) {
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
