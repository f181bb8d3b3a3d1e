// A host with its share; opened, its pages with the answers that cite each, and the choice of its kind.

import { _, diagnosisUrl } from "../common/config.js";
import { announce, h } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { interval, number, percent, siteKindLabel } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";
import { asProblem } from "../common/problem.js";
import { problemCard, showProblem } from "../common/problem_display.js";
import { classHost, listHostPages } from "./api.js";

const CITED_LABELS = { yes: _("引用"), no: _("列出"), unknown: _("列出，是否引用未知") };
const CHOSEN_KINDS = ["media", "community", "shop", "reference"];

const isWebAddress = (url) => /^https?:\/\//i.test(url);

function placeItem({ before, text, after }) {
  return h("q", { class: "cited-place" }, before && "…", before, h("mark", { class: "cited" }, text), after, after && "…");
}

function useItem(use, { names }) {
  const link = h("a", { href: `${diagnosisUrl(use.diagnosis)}#answer-${use.answer}` }, use.question);
  return h(
    "li",
    {},
    link,
    " ",
    h("span", { class: "chip" }, CITED_LABELS[use.cited]),
    h("span", { class: "range" }, names.get(use.platform) || use.platform, use.answered_at && [" · ", dateTime(use.answered_at)]),
    use.places.map(placeItem),
    use.cited === "yes" && !use.places.length && h("span", { class: "range" }, _("平台没有标出引用的是哪一处")),
  );
}

function pageItem(page, context) {
  const title = page.title || page.page;
  const link = isWebAddress(page.url) ? h("a", { href: page.url, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : title;
  const isCut = page.answers > page.uses.length;
  return h(
    "li",
    { class: "source-page" },
    h("span", { class: "source-page-title" }, link),
    h("span", { class: "range" }, page.page),
    h(
      "details",
      { class: "method source-answers" },
      h("summary", {}, _("在哪些回答里（{n}）", { n: number(page.answers) })),
      isCut && h("p", { class: "hint" }, _("最近的 {n} 条：", { n: number(page.uses.length) })),
      h("ul", { class: "source-uses" }, page.uses.map((use) => useItem(use, context))),
    ),
  );
}

/** Load the pages of a host into `body`, fifty at a time. */
async function loadPages(body, host, context, cursor = 0) {
  const loading = h("p", { class: "loading" }, _("正在读取…"));
  body.append(loading);
  try {
    const { pages, next } = await listHostPages(context.workspaceId, host, { ...context.scope, cursor });
    body.append(h("ul", { class: "source-pages" }, pages.map((page) => pageItem(page, context))));
    if (next !== null) {
      const more = h("button", { type: "button", class: "button quiet" }, _("更多网页"));
      more.addEventListener("click", () => {
        more.remove();
        loadPages(body, host, context, next);
      });
      body.append(more);
    }
  } catch (error) {
    const card = problemCard(asProblem(error).body, {
      heading: "h4",
      close: () => card.remove(),
      actions: { retry: () => loadPages(body, host, context, cursor) },
    });
    body.append(card);
  } finally {
    loading.remove();
  }
}

/** A choice of the kind; own and rivals' sites follow the names of the brands. */
function kindField({ host, kind }, context) {
  if (!context.canEdit || kind === "own" || kind === "competitor") return null;
  const options = CHOSEN_KINDS.map((one) => h("option", { value: one, selected: one === kind }, siteKindLabel(one)));
  const select = h("select", {}, kind === null && h("option", { value: "" }, _("未归类")), options, h("option", { value: "default" }, _("恢复默认")));
  select.addEventListener("change", async () => {
    select.disabled = true;
    try {
      await classHost(context.workspaceId, host, CHOSEN_KINDS.includes(select.value) ? select.value : null);
      announce(_("已更新。"));
      await context.reload();
    } catch (error) {
      select.disabled = false;
      showProblem(error, { display: "toast" });
    }
  });
  return h("label", { class: "kind-field" }, h("span", {}, _("网站类别")), select);
}

function kindText({ kind, brand }) {
  const label = kind === null ? _("未归类") : siteKindLabel(kind);
  return brand && kind !== "own" ? `${label} · ${brand}` : label;
}

/** A host of the list; opening it loads its pages once. `context` is `{workspaceId, scope, total, names, canEdit, reload}`. */
export function createHostItem(host, context) {
  const { rate, low, high } = host;
  const isOwn = host.kind === "own";
  const counts = _("引用 {cited} · 列出 {listed} · 共 {n} 条回答", { cited: number(host.cited), listed: number(host.listed), n: number(context.total) });
  const body = h("div", { class: "source-body" });
  const share = rate === null ? "–" : percent(rate);
  const line = h(
    "summary",
    { class: "source-line" },
    h(
      "span",
      { class: "source-name" },
      h("span", { class: "domain" }, host.host),
      " ",
      h("span", { class: isOwn ? "chip brand own" : "chip brand" }, kindText(host)),
      host.is_gap && [" ", h("span", { class: "chip gap-chip" }, _("缺口 {n} 条", { n: number(host.gap) }))],
    ),
    h("span", { class: isOwn ? "cell own" : "cell" }, rate !== null && intervalBar(rate, low, high)),
    h("span", { class: "source-counts" }, h("strong", {}, share), " ", rate !== null && h("span", { class: "range" }, interval(low, high)), h("span", { class: "range" }, counts)),
  );
  const details = h("details", {}, line, body);
  details.addEventListener("toggle", () => {
    if (!details.open || body.childElementCount) return;
    const field = kindField(host, context);
    if (field) body.append(field);
    loadPages(body, host.host, context);
  });
  return h("li", {}, details);
}
