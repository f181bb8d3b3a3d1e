// One diagnosis as a line of a list.

import { config, _ } from "./config.js";
import { h } from "./dom.js";
import { demoTag, isRunning, moment, number, statusChip } from "./format.js";

function figures(item) {
  if (isRunning(item.status)) return _("进度 {percent}%", { percent: Math.floor(item.percent || 0) });
  return _("{valid} / {planned} 有效", { valid: number(item.valid), planned: number(item.planned) });
}

/** An `<li>` that links to the diagnosis. */
export function diagnosisItem(item) {
  return h(
    "li",
    { class: "diagnosis-item" },
    h(
      "a",
      { href: config.urls.diagnosis.replace("{id}", item.id) },
      h("span", { class: "diagnosis-brand" }, item.brand, item.demo && demoTag()),
      h("span", { class: "diagnosis-when" }, moment(item.created_at)),
      h("span", { class: "diagnosis-figures" }, figures(item)),
      statusChip(item.status),
    ),
  );
}
