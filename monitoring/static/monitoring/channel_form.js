// Show only the fields that the selected kind of channel uses, with its hints.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("id_kind");
  if (!kind) return;

  function update() {
    const used = document.querySelector(`[data-takes="${kind.value}"]`);
    const names = used ? used.textContent.split(" ") : [];
    for (const name of ["address", "key", "recipients"]) {
      const row = document.querySelector(`.form-row.field-${name}`);
      if (row) row.hidden = kind.value !== "" && !names.includes(name);
    }
    const forgetKeyRow = document.querySelector(".form-row.field-forget_key");
    const input = document.getElementById("id_forget_key");
    if (forgetKeyRow && input) forgetKeyRow.hidden = input.type === "hidden" || !names.includes("key");
    for (const hint of document.querySelectorAll("[data-kind]")) {
      hint.hidden = kind.value !== "" && hint.dataset.kind !== kind.value;
    }
  }

  kind.addEventListener("change", update);
  update();
});
