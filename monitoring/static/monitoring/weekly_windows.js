"use strict";
// Edit the weekly windows of a silence as rows: days, from, to. The hidden textarea with the JSON is still submitted.

const DAY_NAMES = ["一", "二", "三", "四", "五", "六", "日"];

/** Return the windows, or null when the JSON is not a list of windows. */
function parseWindows(area) {
  try {
    const windows = JSON.parse(area.value || "[]");
    return Array.isArray(windows) && windows.every((one) => one && Array.isArray(one.days)) ? windows : null;
  } catch {
    return null;
  }
}

function addWindow(area, list, one) {
  const line = Object.assign(document.createElement("div"), { className: "matcher-row" });
  DAY_NAMES.forEach((name, day) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: day, checked: one.days.includes(day) });
    label.append(box, `周${name}`);
    line.append(label);
  });
  for (const [key, name] of [["from", "从"], ["to", "到"]]) {
    const input = Object.assign(document.createElement("input"), { type: "time", value: one[key] ?? "", ariaLabel: name });
    input.dataset.key = key;
    line.append(name, input);
  }
  const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "删除", className: "button" });
  remove.addEventListener("click", () => {
    line.remove();
    writeWindows(area, list);
  });
  line.append(remove);
  list.append(line);
}

function writeWindows(area, list) {
  const windows = [...list.querySelectorAll(".matcher-row")].map((line) => ({
    days: [...line.querySelectorAll("input[type=checkbox]:checked")].map((box) => Number(box.value)),
    from: line.querySelector("[data-key=from]").value,
    to: line.querySelector("[data-key=to]").value,
  }));
  area.value = JSON.stringify(windows.filter((one) => one.days.length || one.from || one.to));
}

function replaceWeekly(area) {
  const windows = parseWindows(area);
  if (windows === null) return; // show invalid JSON as it is
  const list = Object.assign(document.createElement("div"), { className: "matcher-rows" });
  const add = Object.assign(document.createElement("button"), { type: "button", textContent: "添加时段", className: "button" });
  add.addEventListener("click", () => addWindow(area, list, { days: [], from: "22:00", to: "08:00" }));
  windows.forEach((one) => addWindow(area, list, one));
  list.addEventListener("input", () => writeWindows(area, list));
  area.hidden = true;
  area.after(list, add);
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("textarea[data-weekly]").forEach(replaceWeekly));
