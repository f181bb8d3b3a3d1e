// Where the answers come from, by surface: the brand's own site, hosts, answers without the brand, queries, platforms.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { joinNames, number, siteKindLabel, surfaceLabel } from "../common/format.js";
import { rateParts, remark } from "./cells.js";
import { hostItem } from "./source_pages.js";

const MAX_HOSTS_AT_FIRST = 10;

const kindLabel = (kind) => (kind === null ? _("未归类") : siteKindLabel(kind));

/** `3 / 20 条回答` */
const answerCount = (count, total) => _("{n} / {valid} 条回答", { n: number(count), valid: number(total) });

function shareTile(label, data, name, isOwn) {
  const rates = rateParts(data[`${name}_rate`], data[`${name}_rate_low`], data[`${name}_rate_high`]);
  return h("div", { class: isOwn ? "source-tile cell own" : "source-tile cell" }, h("dt", {}, label), h("dd", {}, rates, remark(answerCount(data[name], data.answers))));
}

/** The share of the answers that cite the brand's own site, and of those that list it. */
function ownSite(surface, hasSite) {
  const tiles = [shareTile(_("引用了官网的回答"), surface, "own_site_cited", true), shareTile(_("列出了官网的回答"), surface, "own_site_listed", true)];
  const hint = _("没有填写官网，只能按域名里的品牌名辨认。填写官网后再诊断一次，数字更可靠。");
  return [h("dl", { class: "source-tiles" }, tiles), !hasSite && h("p", { class: "hint" }, hint)];
}

function kindList({ kinds, answers }) {
  if (!kinds.length) return null;
  const rows = kinds.map(({ kind, cited, listed }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, kindLabel(kind)),
      h("td", {}, answerCount(cited, answers)),
      h("td", {}, answerCount(listed, answers)),
    ),
  );
  const head = [_("网站类别"), _("引用它的回答"), _("列出它的回答")].map((text) => h("th", { scope: "col" }, text));
  return [h("h4", {}, _("网站类别")), h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": _("网站类别") }, h("table", { class: "source-table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)))];
}

/** A list whose end is shown on request. */
function longList(items) {
  const list = h("ul", { class: "source-hosts" }, items.slice(0, MAX_HOSTS_AT_FIRST));
  const rest = items.slice(MAX_HOSTS_AT_FIRST);
  if (!rest.length) return list;
  const button = h("button", { type: "button", class: "button quiet" }, _("再显示 {n} 个", { n: number(rest.length) }));
  button.addEventListener("click", () => {
    list.append(...rest);
    rest[0].querySelector("summary")?.focus();
    button.remove();
  });
  return [list, button];
}

function gapPart(surface, context) {
  const { gap } = surface;
  if (!gap.answers) return [h("h4", {}, _("没有提到本品牌的回答用了哪些来源")), h("p", { class: "empty" }, _("没有只提到竞品、没提到本品牌的回答。"))];
  const hint = _("{n} 条回答提到了竞品，没有提到本品牌。下面是这些回答的来源；网页本身写没写本品牌，这里并不知道。", { n: number(gap.answers) });
  const items = gap.hosts.map((host) => hostItem(host, { ...context, total: gap.answers, isGap: true }));
  return [h("h4", {}, _("没有提到本品牌的回答用了哪些来源")), h("p", { class: "hint" }, hint), longList(items)];
}

function queryPart({ queries }) {
  if (!queries.length) return [h("h4", {}, _("平台搜了什么")), h("p", { class: "empty" }, _("平台没有给出搜索词。"))];
  const items = queries.map(({ text, answers }) => h("li", {}, h("q", {}, text), " ", h("span", { class: "range" }, _("{n} 条回答", { n: number(answers) }))));
  return [h("h4", {}, _("平台搜了什么")), h("ul", { class: "source-queries" }, items)];
}

/** What each platform tells; one that tells nothing is not one that uses nothing. */
function platformPart({ platforms }, names) {
  const items = platforms.map((platform) => {
    const missing = [!platform.tells_citations && _("哪些被引用"), !platform.tells_queries && _("搜索词")].filter(Boolean);
    const own = _("引用官网 {cited}，列出官网 {listed}", { cited: answerCount(platform.own_site_cited, platform.answers), listed: answerCount(platform.own_site_listed, platform.answers) });
    const text = platform.tells_sources ? own : _("不透露来源，这不等于没有来源；{n} 条回答不计入上面的比例", { n: number(platform.answers) });
    const untold = platform.tells_sources && missing.length > 0 && h("span", { class: "range" }, _("不透露{what}", { what: joinNames(missing) }));
    return h("li", {}, h("strong", {}, names.get(platform.platform) || platform.platform), h("span", {}, text), untold);
  });
  return [h("h4", {}, _("各平台")), h("ul", { class: "source-platforms" }, items)];
}

export class SourcesSection {
  constructor(section, answers) {
    Object.assign(this, { section, answers });
  }

  /** Fill the section; hide it when no platform was asked to search. */
  draw(report, diagnosis) {
    this.section.hidden = report.sources.length === 0;
    const names = new Map(report.platforms.map(({ id, name }) => [id, name]));
    const numbers = new Map(report.questions.map(({ id }, index) => [id, index + 1]));
    const own = diagnosis.brands.find((brand) => brand.is_own);
    const shared = { diagnosis, names, numbers, answers: this.answers, kindLabel };
    const parts = report.sources.map((surface) => this.surfacePart(surface, { ...shared, surface: surface.surface }, Boolean(own?.sites?.length)));
    this.section.querySelector("#sources").replaceChildren(...parts);
  }

  surfacePart(surface, context, hasSite) {
    const heading = h("h3", { id: `sources-${surface.surface}` }, surfaceLabel(surface.surface));
    const part = (...content) => h("section", { class: "source-surface", "aria-labelledby": heading.id }, heading, content);
    if (!surface.answers && !surface.answers_untold) return part(h("p", { class: "empty" }, _("没有联网成功的有效回答，所以没有来源。")));
    const platforms = platformPart(surface, context.names);
    if (!surface.answers) return part(h("p", { class: "empty" }, _("这些平台都不透露来源。")), platforms);
    // Without a platform that marks its citations, nothing is cited: the bars then show what is listed.
    context.share = surface.hosts.some(({ cited }) => cited > 0) ? "cited" : "listed";
    const items = surface.hosts.map((host) => hostItem(host, { ...context, total: surface.answers }));
    const drawn = context.share === "cited" ? _("比例是引用它的回答。") : _("比例是列出它的回答。");
    const hosts = [h("h4", {}, _("网站")), h("p", { class: "hint" }, drawn), items.length ? longList(items) : h("p", { class: "empty" }, _("没有来源。"))];
    return part(ownSite(surface, hasSite), hosts, kindList(surface), gapPart(surface, context), queryPart(surface), platforms);
  }
}
