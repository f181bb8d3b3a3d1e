"use strict";
// Shows the thresholds of a ratio in percent while they are typed.

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("id_kind");
  if (!kind) return;
  const shown = ["id_threshold", "id_resolve_threshold"].map((id) => {
    const field = document.getElementById(id);
    const note = document.createElement("output");
    note.className = "in-percent";
    note.htmlFor = id;
    field.after(note);
    return { field, note };
  });
  const denominator = ["denominator", "denominator_matchers"].map((name) => document.querySelector(`.field-${name}`));

  const show = () => {
    const isRatio = kind.value === "ratio";
    for (const { field, note } of shown) {
      const value = field.value.trim() === "" ? NaN : Number(field.value);
      const isWrong = isRatio && (value > 1 || value < 0);
      note.dataset.wrong = isWrong ? "yes" : "no";
      if (!isRatio || Number.isNaN(value)) note.textContent = "";
      else note.textContent = `= ${Number((value * 100).toPrecision(6))} %${isWrong ? "，比率要写 0 到 1" : ""}`;
    }
    for (const row of denominator) if (row) row.hidden = !isRatio;
  };
  for (const { field } of shown) field.addEventListener("input", show);
  kind.addEventListener("change", show);
  show();
});
