// What a change of names does to the newest run, shown before it is applied.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { interval, number, percent } from "../common/format.js";
import { remark } from "../report/cells.js";

function rateCell(rate) {
  if (!rate) return h("td", {}, "–");
  const counts = _("{k} / {n} 条回答", { k: number(rate.k), n: number(rate.n) });
  return h("td", {}, h("div", { class: "cell" }, percent(rate.rate), rate.low !== null && remark(interval(rate.low, rate.high)), remark(counts)));
}

function isChanged({ before, after }) {
  return before?.k !== after?.k || before?.n !== after?.n;
}

function table(brands) {
  const head = h("tr", {}, [_("品牌"), _("现在"), _("改后")].map((text) => h("th", { scope: "col" }, text)));
  const rows = brands.map((brand) => {
    const mark = isChanged(brand) && h("span", { class: "chip" }, _("会变"));
    return h("tr", {}, h("th", { scope: "row" }, brand.name, " ", mark), rateCell(brand.before), rateCell(brand.after));
  });
  return h("div", { class: "table-frame", tabindex: "0", role: "group", "aria-labelledby": "preview-title" }, h("table", { class: "plain-table" }, h("thead", {}, head), h("tbody", {}, rows)));
}

/** Show a preview; resolves to `{recountOld}` when the user agrees, to null otherwise. */
export function confirmNames(title, preview) {
  return new Promise((resolve) => {
    const old = h("input", { type: "checkbox" });
    const offersOld = preview.old_runs > 0 && h("label", { class: "check-label" }, old, h("span", {}, _("也按新名称重算 {n} 次用旧名称的诊断", { n: number(preview.old_runs) })));
    const effect = preview.runs ? _("会重新计算 {n} 次诊断的数字，不再调用平台。", { n: number(preview.runs) }) : _("还没有要重算的诊断。");
    const dialog = h(
      "dialog",
      { class: "modal wide", "aria-labelledby": "preview-title" },
      h("h2", { id: "preview-title" }, title),
      preview.diagnosis ? h("p", {}, _("最近一次诊断的提及率：")) : null,
      preview.diagnosis && table(preview.brands),
      h("p", {}, effect),
      offersOld,
      h(
        "div",
        { class: "modal-actions" },
        h("button", { type: "button", class: "button quiet", autofocus: true, onclick: () => dialog.close() }, _("取消")),
        h("button", { type: "button", class: "button primary", onclick: () => dialog.close("yes") }, _("应用")),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? { recountOld: old.checked } : null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
