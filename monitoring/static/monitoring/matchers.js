"use strict";
// Rows to fill in instead of the JSON of matchers: label, = or !=, values. The JSON stays the field that is sent.

const SILENCE_LABELS = ["rule", "severity", "source"];

function labelsOf(area) {
  const metrics = document.getElementById("rule-metrics");
  if (!metrics || !area.dataset.metric) return SILENCE_LABELS;
  const chosen = document.getElementById(area.dataset.metric)?.value || document.getElementById("id_metric")?.value;
  return JSON.parse(metrics.textContent)[chosen]?.labels ?? [];
}

function rowsOf(area) {
  try {
    const rows = JSON.parse(area.value || "[]");
    return Array.isArray(rows) && rows.every((row) => row && typeof row.label === "string" && Array.isArray(row.values)) ? rows : null;
  } catch {
    return null;
  }
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function addRow(area, list, row) {
  const line = element("div", { className: "matcher-row" });
  const label = element("input", { value: row.label, placeholder: "标签", ariaLabel: "标签" });
  label.setAttribute("list", `${area.id}-labels`);
  const op = element("select", { ariaLabel: "比较" });
  for (const [value, words] of [["=", "是其中之一"], ["!=", "不是其中任何一个"]]) {
    op.append(element("option", { value, textContent: `${value} ${words}`, selected: row.op === value }));
  }
  const values = element("input", { value: row.values.join(", "), className: "values", placeholder: "值，用逗号分隔", ariaLabel: "值" });
  const remove = element("button", { type: "button", textContent: "删除", className: "button" });
  remove.addEventListener("click", () => {
    line.remove();
    write(area, list);
  });
  line.append(label, op, values, remove);
  list.append(line);
}

function write(area, list) {
  const rows = [...list.querySelectorAll(".matcher-row")].map((line) => {
    const [label, values] = line.querySelectorAll("input");
    return {
      label: label.value.trim(),
      op: line.querySelector("select").value,
      values: values.value.split(/[,，]/).map((one) => one.trim()).filter(Boolean),
    };
  });
  area.value = JSON.stringify(rows.filter((row) => row.label || row.values.length));
}

function replace(area) {
  const rows = rowsOf(area);
  if (rows === null) return; // not ours to mend: shown as it is
  const box = element("div", { className: "matcher-box" });
  const list = element("div", { className: "matcher-rows" });
  const known = element("datalist", { id: `${area.id}-labels` });
  const fill = () => known.replaceChildren(...labelsOf(area).map((value) => element("option", { value })));
  const add = element("button", { type: "button", textContent: "加一个条件", className: "button" });
  add.addEventListener("click", () => addRow(area, list, { label: "", op: "=", values: [] }));
  rows.forEach((row) => addRow(area, list, row));
  list.addEventListener("input", () => write(area, list));
  fill();
  for (const id of ["id_metric", "id_denominator"]) document.getElementById(id)?.addEventListener("change", fill);
  area.hidden = true;
  box.append(list, known, add);
  area.after(box);
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("textarea[data-matchers]").forEach(replace));
