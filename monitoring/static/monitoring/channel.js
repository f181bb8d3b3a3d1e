// Shows the fields of the selected kind of channel, with hints on how to fill them in.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("id_kind");
  if (!kind) return;

  function show() {
    const taken = document.querySelector(`[data-takes="${kind.value}"]`);
    const names = taken ? taken.textContent.split(" ") : [];
    for (const name of ["address", "key", "recipients"]) {
      const row = document.querySelector(`.form-row.field-${name}`);
      if (row) row.hidden = kind.value !== "" && !names.includes(name);
    }
    const forget = document.querySelector(".form-row.field-forget_key");
    const input = document.getElementById("id_forget_key");
    if (forget && input) forget.hidden = input.type === "hidden" || !names.includes("key");
    for (const hint of document.querySelectorAll("[data-kind]")) {
      hint.hidden = kind.value !== "" && hint.dataset.kind !== kind.value;
    }
  }

  kind.addEventListener("change", show);
  show();
});
