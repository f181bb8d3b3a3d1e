// The report: one sentence, then the figures of each brand, each with how sure they are.

import { _ } from "./config.js";
import { h, setText } from "./dom.js";
import { listed, number, percent } from "./format.js";
import { intervalBar } from "./interval.js";

const figuresOf = (brand, platform) => (platform === null ? brand.figures : brand.by_platform[platform]);

function overlaps(a, b) {
  return a.mention_rate_low <= b.mention_rate_high && b.mention_rate_low <= a.mention_rate_high;
}

function comparison(own, rivals) {
  const best = Math.max(...rivals.map((rival) => rival.figures.mention_rate));
  const leaders = rivals.filter((rival) => rival.figures.mention_rate === best);
  const values = { rivals: listed(leaders.map((rival) => rival.name)), rate: percent(best) };
  if (best === 0 && own.figures.mention_rate > 0) return _("竞品都没有被提到");
  if (own.figures.mention_rate === best) return _("与{rivals}持平", values);
  if (leaders.some((rival) => overlaps(own.figures, rival.figures))) {
    return own.figures.mention_rate > best
      ? _("略高于{rivals}（{rate}），但样本还不足以分出高下", values)
      : _("略低于{rivals}（{rate}），但样本还不足以分出高下", values);
  }
  return own.figures.mention_rate > best ? _("明显高于{rivals}（{rate}）", values) : _("明显低于{rivals}（{rate}）", values);
}

/** The report in one sentence. */
export function headline(report) {
  const own = report.brands.find((brand) => brand.is_own);
  const rivals = report.brands.filter((brand) => !brand.is_own);
  if (!report.valid) return _("这一次没有得到可用的回答，还不能下结论。");
  const values = { brand: own.name, rate: percent(own.figures.mention_rate), valid: number(report.valid) };
  if (!own.figures.mentions && !rivals.some((rival) => rival.figures.mentions)) {
    return _("{valid} 条有效回答里，没有一条提到“{brand}”，也没有提到竞品。", values);
  }
  if (!rivals.length) return _("“{brand}”出现在 {rate} 的 AI 回答里。", values);
  return _("“{brand}”出现在 {rate} 的 AI 回答里，{comparison}。", { ...values, comparison: comparison(own, rivals) });
}

/** `18 / 20 有效 · 1 条失败 · 1 条被过滤` */
export function coverage({ valid, planned, failed, filtered }) {
  const parts = [_("{valid} / {planned} 有效", { valid: number(valid), planned: number(planned) })];
  if (failed) parts.push(_("{n} 条失败", { n: number(failed) }));
  if (filtered) parts.push(_("{n} 条被过滤", { n: number(filtered) }));
  return parts.join(" · ");
}

function cell(label, ...content) {
  return h("td", { role: "cell", "data-label": label }, h("div", { class: "cell" }, content));
}

function rateCell(label, rate, low, high) {
  if (rate === null || rate === undefined) return cell(label, h("span", { class: "rate" }, "–"));
  const range = _("区间 {low}–{high}", { low: percent(low), high: percent(high) });
  return cell(label, h("span", { class: "rate" }, percent(rate)), intervalBar(rate, low, high), h("span", { class: "range" }, range));
}

function row(brand, platform) {
  const f = figuresOf(brand, platform);
  const name = h(
    "th",
    { scope: "row", role: "rowheader" },
    h("span", { class: "brand-name" }, brand.name),
    h("span", { class: brand.is_own ? "chip brand own" : "chip brand rival" }, brand.is_own ? _("★ 本品牌") : _("竞品")),
  );
  if (!f) return h("tr", { role: "row" }, name, h("td", { role: "cell", colspan: 4 }, "–"));
  return h(
    "tr",
    { role: "row", class: brand.is_own ? "own" : null },
    name,
    rateCell(_("提及率"), f.mention_rate, f.mention_rate_low, f.mention_rate_high),
    rateCell(_("首位提及率"), f.first_mention_rate, f.first_mention_rate_low, f.first_mention_rate_high),
    cell(_("声量份额"), h("span", { class: "rate" }, percent(f.share_of_voice))),
    cell(_("被提到的回答"), h("span", { class: "rate" }, number(f.mentions)), h("span", { class: "range" }, _("共 {n} 条有效", { n: number(f.valid) }))),
  );
}

const byRate = (platform) => (a, b) =>
  b.is_own - a.is_own || (figuresOf(b, platform)?.mention_rate ?? -1) - (figuresOf(a, platform)?.mention_rate ?? -1);

/** Fills the table's body for one platform, or for all with null. */
export function drawTable(body, report, platform) {
  const brands = [...report.brands].sort(byRate(platform));
  body.replaceChildren(...brands.map((brand) => row(brand, platform)));
}

function choice(value, label, count, isChosen) {
  const radio = h("input", { type: "radio", name: "platform", value });
  radio.checked = isChosen;
  return h("label", { class: "segment" }, radio, h("span", {}, label, h("small", {}, count)));
}

/** Radio buttons to look at all platforms or at one; `onChoose` gets its id, or null for all. */
export function drawSwitch(fieldset, report, onChoose) {
  const of = ({ valid, planned }) => `${number(valid)} / ${number(planned)}`;
  const each = report.platforms.map((platform) => choice(platform.id, platform.name, of(platform), false));
  const all = choice("", _("全部平台"), of(report), true);
  fieldset.querySelector(".segments").replaceChildren(all, ...each);
  fieldset.hidden = report.platforms.length < 2;
  fieldset.addEventListener("change", (event) => onChoose(event.target.value || null));
}

/** What went wrong, by platform and reason; nothing at all when nothing did. */
export function drawFailures(list, report) {
  const names = new Map(report.platforms.map((platform) => [String(platform.id), platform.name]));
  list.replaceChildren(
    ...report.failures.map((failure) =>
      h(
        "li",
        {},
        h("p", { class: "failure-title" }, h("strong", {}, names.get(String(failure.platform)) || failure.platform), ` ${failure.title} `, h("span", { class: "chip" }, _("{n} 条", { n: number(failure.count) }))),
        failure.suggestion && h("p", { class: "hint" }, failure.suggestion),
      ),
    ),
  );
  list.parentElement.hidden = report.failures.length === 0;
}

/** The coverage line under the headline, for one platform or for all. */
export function drawCoverage(element, report, platform) {
  const part = platform === null ? report : report.platforms.find(({ id }) => String(id) === platform);
  setText(element, coverage(part || report));
}
