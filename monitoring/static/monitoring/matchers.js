"use strict";
// Replaces the JSON of matchers by rows of fields: label, = or !=, values. The JSON is still what the form sends.

const SILENCE_LABELS = ["rule", "severity", "source"];

function getLabels(area) {
  const metrics = document.getElementById("rule-metrics");
  if (!metrics || !area.dataset.metric) return SILENCE_LABELS;
  const chosen = document.getElementById(area.dataset.metric)?.value || document.getElementById("id_metric")?.value;
  return JSON.parse(metrics.textContent)[chosen]?.labels ?? [];
}

function parseRows(area) {
  try {
    const rows = JSON.parse(area.value || "[]");
    return Array.isArray(rows) && rows.every((row) => row && typeof row.label === "string" && Array.isArray(row.values)) ? rows : null;
  } catch {
    return null;
  }
}

function createElement(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function addRow(area, list, row) {
  const line = createElement("div", { className: "matcher-row" });
  const label = createElement("input", { value: row.label, placeholder: "标签", ariaLabel: "标签" });
  label.setAttribute("list", `${area.id}-labels`);
  const op = createElement("select", { ariaLabel: "比较" });
  for (const [value, words] of [["=", "是其中之一"], ["!=", "不是其中任何一个"]]) {
    op.append(createElement("option", { value, textContent: `${value} ${words}`, selected: row.op === value }));
  }
  const values = createElement("input", { value: row.values.join(", "), className: "values", placeholder: "值，用逗号分隔", ariaLabel: "值" });
  const remove = createElement("button", { type: "button", textContent: "删除", className: "button" });
  remove.addEventListener("click", () => {
    line.remove();
    writeJson(area, list);
  });
  line.append(label, op, values, remove);
  list.append(line);
}

function writeJson(area, list) {
  const rows = [...list.querySelectorAll(".matcher-row")].map((line) => {
    const [label, values] = line.querySelectorAll("input");
    return {
      label: label.value.trim(),
      op: line.querySelector("select").value,
      values: values.value.split(/[,，]/).map((value) => value.trim()).filter(Boolean),
    };
  });
  area.value = JSON.stringify(rows.filter((row) => row.label || row.values.length));
}

function replaceTextarea(area) {
  const rows = parseRows(area);
  if (rows === null) return; // invalid JSON is shown unchanged
  const box = createElement("div", { className: "matcher-box" });
  const list = createElement("div", { className: "matcher-rows" });
  const known = createElement("datalist", { id: `${area.id}-labels` });
  const fill = () => known.replaceChildren(...getLabels(area).map((value) => createElement("option", { value })));
  const add = createElement("button", { type: "button", textContent: "加一个条件", className: "button" });
  add.addEventListener("click", () => addRow(area, list, { label: "", op: "=", values: [] }));
  rows.forEach((row) => addRow(area, list, row));
  list.addEventListener("input", () => writeJson(area, list));
  fill();
  for (const id of ["id_metric", "id_denominator"]) document.getElementById(id)?.addEventListener("change", fill);
  area.hidden = true;
  box.append(list, known, add);
  area.after(box);
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("textarea[data-matchers]").forEach(replaceTextarea));
