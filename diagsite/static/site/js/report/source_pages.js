// A host with its share; opened, its pages and the answers that use each, with the cited place.

import { listSources } from "../common/api.js";
import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { interval, number, percent } from "../common/format.js";
import { intervalBar } from "../common/interval_bar.js";
import { asProblem } from "../common/problem.js";
import { problemCard } from "../common/problem_display.js";

const MAX_PLACES = 3; // of one page in one answer
const CONTEXT = 24; // code points before and after a cited place
const MAX_PLACE = 160;

const isWebAddress = (url) => /^https?:\/\//i.test(url);

/** The text around [start, end) with that place marked; offsets count code points. */
function excerpt(points, [start, end]) {
  const slice = (from, to) => points.slice(Math.max(0, from), to).join("");
  const stop = Math.min(end, start + MAX_PLACE);
  return h(
    "q",
    { class: "cited-place" },
    start > CONTEXT && "…",
    slice(start - CONTEXT, start),
    h("mark", { class: "cited" }, slice(start, stop), stop < end && "…"),
    slice(end, end + CONTEXT),
    end + CONTEXT < points.length && "…",
  );
}

const CITED_LABELS = { yes: _("引用"), no: _("列出"), unknown: _("列出，是否引用未知") };

function useItem(use, { names, numbers, answers }) {
  const where = _("{platform} · 问题 {n}", { platform: names.get(use.platform) || use.platform, n: numbers.get(use.question) ?? "–" });
  const points = Array.from(answers.stored.get(use.answer)?.text || "");
  const places = use.spans.filter(([start, end]) => start < end && end <= points.length).slice(0, MAX_PLACES);
  return h(
    "li",
    {},
    h("button", { type: "button", class: "link", onclick: () => answers.reveal({ id: use.answer }) }, where),
    " ",
    h("span", { class: "chip" }, CITED_LABELS[use.cited]),
    places.map((place) => excerpt(points, place)),
    use.cited === "yes" && !places.length && h("span", { class: "range" }, _("平台没有标出引用的是哪一处")),
  );
}

function pageItem(page, context) {
  const title = page.title || page.page;
  const link = isWebAddress(page.url) ? h("a", { href: page.url, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : title;
  const counts = _("引用 {cited} · 列出 {listed}", { cited: number(page.cited), listed: number(page.listed) });
  const uses = h("ul", { class: "source-uses" });
  const details = h("details", { class: "method source-answers" }, h("summary", {}, _("在哪些回答里（{n}）", { n: number(page.listed) })), uses);
  details.addEventListener("toggle", () => details.open && !uses.childElementCount && showUses(uses, page, context));
  return h(
    "li",
    { class: "source-page" },
    h("span", { class: "source-page-title" }, link),
    h("span", { class: "range" }, page.page),
    h("span", { class: "range" }, counts),
    details,
  );
}

/** List the answers that use a page, with the cited places once the texts are loaded. */
async function showUses(list, page, context) {
  const draw = () => list.replaceChildren(...page.answers.map((use) => useItem(use, context)));
  draw();
  try {
    await context.answers.loadTexts(page.answers.map(({ answer }) => answer));
    draw();
  } catch (error) {
    const retry = () => showUses(list, page, context);
    list.append(h("li", {}, problemCard(asProblem(error).body, { actions: { retry }, heading: "h5" })));
  }
}

/** Load the pages of a host into `body`, fifty at a time. */
async function loadPages(body, host, context, cursor = 0) {
  const loading = h("p", { class: "loading" }, _("正在读取…"));
  body.append(loading);
  try {
    const { items, next } = await listSources(context.diagnosis.id, { surface: context.surface, host, cursor });
    body.append(h("ul", { class: "source-pages" }, items.map((page) => pageItem(page, context))));
    if (next !== null) {
      const more = h("button", { type: "button", class: "button quiet" }, _("更多网页"));
      more.addEventListener("click", () => {
        more.remove();
        loadPages(body, host, context, next);
      });
      body.append(more);
    }
  } catch (error) {
    const retry = () => {
      body.replaceChildren();
      return loadPages(body, host, context, cursor);
    };
    body.append(problemCard(asProblem(error).body, { actions: { retry }, heading: "h5" }));
  } finally {
    loading.remove();
  }
}

/** A host of the report; opening it loads its pages once. `context.share` is the share that is drawn. */
export function hostItem(host, context) {
  const { total, kindLabel, share: name } = context;
  const counts = _("引用 {cited} · 列出 {listed} · 共 {n} 条回答", { cited: number(host.cited), listed: number(host.listed), n: number(total) });
  const [rate, low, high] = [host[`${name}_rate`], host[`${name}_rate_low`], host[`${name}_rate_high`]];
  const body = h("div", { class: "source-body" });
  const kind = host.brand && host.kind !== "own" ? `${kindLabel(host.kind)} · ${host.brand}` : kindLabel(host.kind);
  const line = h(
    "summary",
    { class: "source-line" },
    h("span", { class: "source-name" }, h("span", { class: "domain" }, host.host), " ", h("span", { class: host.kind === "own" ? "chip brand own" : "chip" }, kind)),
    h("span", { class: host.kind === "own" ? "cell own" : "cell" }, intervalBar(rate, low, high)),
    h("span", { class: "source-counts" }, h("strong", {}, percent(rate)), " ", h("span", { class: "range" }, interval(low, high)), h("span", { class: "range" }, counts)),
  );
  const details = h("details", {}, line, body);
  details.addEventListener("toggle", () => {
    if (!details.open || body.childElementCount) return;
    if (context.isGap) body.append(h("p", { class: "hint" }, _("这个网站在全部回答里的网页：")));
    loadPages(body, host.host, context);
  });
  return h("li", {}, details);
}
