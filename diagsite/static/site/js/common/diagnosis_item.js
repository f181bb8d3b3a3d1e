// One diagnosis in a list.

import { _, diagnosisUrl } from "./config.js";
import { h } from "./dom.js";
import { dateTime, demoTag, statusChip } from "./elements.js";
import { isRunning, number } from "./format.js";

/** An `<li>` that links to the diagnosis. */
export function diagnosisItem(diagnosis) {
  const counts = isRunning(diagnosis.status)
    ? _("进度 {percent}%", { percent: Math.floor(diagnosis.percent || 0) })
    : _("{valid} / {planned} 有效", { valid: number(diagnosis.valid), planned: number(diagnosis.planned) });
  return h(
    "li",
    { class: "diagnosis-item" },
    h(
      "a",
      { href: diagnosisUrl(diagnosis.id) },
      h("span", { class: "diagnosis-brand" }, diagnosis.brand, diagnosis.demo && demoTag()),
      h("span", { class: "diagnosis-created" }, dateTime(diagnosis.created_at)),
      h("span", { class: "diagnosis-counts" }, counts),
      statusChip(diagnosis.status),
    ),
  );
}
