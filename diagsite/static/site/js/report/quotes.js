// Quotes from the answers about each brand, as the judging platform picked them.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";
import { brandChip } from "../answers/mentions.js";
import { SENTIMENTS } from "./cells.js";

const MAX_SHOWN = 3;
const MAX_REASONS = 8;

/** `[name, quotes]` of each brand with quotes. */
function groupQuotes(report) {
  const brands = [...report.brands, ...(report.recognition?.brands || [])];
  const byBrand = new Map();
  for (const brand of brands) {
    const quotes = byBrand.get(brand.name) || [];
    byBrand.set(brand.name, quotes.concat(brand.sentiment?.quotes || []));
  }
  return [...byBrand].filter(([, quotes]) => quotes.length);
}

function quoteItem(quote, { names, numbers, onOpen }) {
  const source = _("{platform} · 问题 {n}", { platform: names.get(quote.platform) || quote.platform, n: numbers.get(quote.question) });
  return h(
    "li",
    { class: "quote", "data-sentiment": quote.sentiment },
    h("blockquote", {}, quote.text),
    h("span", { class: "chip" }, SENTIMENTS[quote.sentiment]),
    h("button", { type: "button", class: "link", onclick: () => onOpen({ id: quote.answer }) }, source),
  );
}

/** What answers praise and blame a brand for, verbatim, the most frequent first. */
function reasonLines(report, name) {
  const brands = [...report.brands, ...(report.recognition?.brands || [])].filter((brand) => brand.name === name && brand.sentiment);
  const list = (kind) => {
    const counts = new Map();
    for (const { text } of brands.flatMap((brand) => brand.sentiment[kind])) counts.set(text, (counts.get(text) || 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_REASONS).map(([text, count]) => (count > 1 ? `${text} × ${number(count)}` : text)).join(" · ");
  };
  const lines = [[_("被称赞"), list("praise")], [_("被批评"), list("blame")]];
  return lines.filter(([, text]) => text).map(([label, text]) => h("p", { class: "reasons" }, h("b", {}, label), " ", text));
}

/** Fill the section; hide it without quotes. */
export function drawQuotes(section, report, onOpen) {
  const groups = groupQuotes(report);
  section.hidden = groups.length === 0;
  const own = report.brands.find((brand) => brand.is_own)?.name;
  const context = {
    names: new Map(report.platforms.map((platform) => [platform.id, platform.name])),
    numbers: new Map(report.questions.map((question, index) => [question.id, index + 1])),
    onOpen,
  };
  const createGroup = ([name, quotes]) => {
    const items = quotes.map((quote) => quoteItem(quote, context));
    const rest = items.slice(MAX_SHOWN);
    const more = h("details", { class: "method" }, h("summary", {}, _("还有 {n} 条", { n: number(rest.length) })), h("ul", { class: "quotes" }, rest));
    return h("div", { class: "quote-group" }, h("h3", {}, brandChip(name, own)), reasonLines(report, name), h("ul", { class: "quotes" }, items.slice(0, MAX_SHOWN)), rest.length > 0 && more);
  };
  section.querySelector("div").replaceChildren(...groups.map(createGroup));
}
