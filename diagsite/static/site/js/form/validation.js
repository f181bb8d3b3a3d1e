// Missing values and the server's errors, shown at the fields of the form.

import { _ } from "../common/config.js";
import { announce, byId } from "../common/dom.js";
import { setError } from "../common/fields.js";

/** Whether a text looks like a host or a web address; the API decides. */
const isSite = (text) => /^(https?:\/\/)?[^\s/.]+(\.[^\s/.]+)+\.?([/:?#]|$)/i.test(text);

/** Return error messages by path, as the API would, for what can be checked without it. */
export function findMissingFields(body) {
  const fields = {};
  if (!body.brand) fields.brand = _("请填写品牌名。");
  body.competitors.forEach(({ name }, index) => {
    if (!name) fields[`competitors.${index}.name`] = _("请填写竞品名称，或删除这一行。");
  });
  if (!body.sites.every(isSite)) fields.sites = _("请填写域名，例如 example.com。");
  body.competitors.forEach(({ sites }, index) => {
    if (!sites.every(isSite)) fields[`competitors.${index}.sites`] = _("请填写域名，例如 example.com。");
  });
  if (!body.questions.length) fields.questions = _("请至少填写一个问题。");
  if (!body.platforms.length) fields.platforms = _("请至少选择一个平台。");
  return fields;
}

const COMPETITOR_INPUTS = { aliases: "competitor_aliases", sites: "competitor_sites" };

/** The input that a path of the API refers to: `questions.2` is the third question that was sent. */
function findInput(form, path, rows) {
  const [name, index, part] = path.split(".");
  if (name === "questions") return byId("questions").children[rows.questions[index] ?? 0]?.querySelector("textarea");
  if (name === "competitors") {
    const row = byId("competitors").children[rows.competitors[index] ?? 0];
    return row?.querySelector(`[name=${COMPETITOR_INPUTS[part] || "competitor"}]`);
  }
  if (name === "platforms") return byId("platforms-field");
  if (name === "repeats") return form.querySelector("[name=repeats]:checked");
  return ["brand", "aliases", "sites"].includes(name) ? form[name] : null;
}

/** Show each error at its field and move to the first; false when no error belongs to a field. */
export function showFieldErrors(form, fields, rows) {
  const errors = Object.entries(fields).map(([path, message]) => [findInput(form, path, rows), message]).filter(([input]) => input);
  for (const [input, message] of errors) setError(input, message);
  const first = form.querySelector("[data-invalid]");
  if (!first) return false;
  announce(_("有 {n} 处需要修改。", { n: errors.length }));
  first.focus();
  first.scrollIntoView({ block: "center" });
  return true;
}
