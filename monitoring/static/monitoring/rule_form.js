"use strict";
// Show the thresholds of a ratio in percent while they are typed, and its denominator only for ratios.

document.addEventListener("DOMContentLoaded", () => {
  const kind = document.getElementById("id_kind");
  if (!kind) return;
  const thresholds = ["id_threshold", "id_resolve_threshold"].map((id) => {
    const field = document.getElementById(id);
    const note = document.createElement("output");
    note.className = "in-percent";
    note.htmlFor = id;
    field.after(note);
    return { field, note };
  });
  const denominatorRows = ["denominator", "denominator_matchers"].map((name) => document.querySelector(`.field-${name}`));

  const update = () => {
    const isRatio = kind.value === "ratio";
    for (const { field, note } of thresholds) {
      const value = field.value.trim() === "" ? NaN : Number(field.value);
      const isWrong = isRatio && (value > 1 || value < 0);
      note.dataset.wrong = isWrong ? "yes" : "no";
      if (!isRatio || Number.isNaN(value)) note.textContent = "";
      else note.textContent = `= ${Number((value * 100).toPrecision(6))} %${isWrong ? "，比率要在 0 到 1 之间" : ""}`;
    }
    for (const row of denominatorRows) if (row) row.hidden = !isRatio;
  };
  for (const { field } of thresholds) field.addEventListener("input", update);
  kind.addEventListener("change", update);
  update();
});
