// What answers say of each brand, word for word, as the judge has picked it.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";
import { brandChip } from "../diagnosis/mentions.js";
import { sentimentName } from "./cells.js";

const SHOWN = 3;

function quotesOf(report) {
  const reports = [...report.brands, ...(report.recognition?.brands || [])];
  const byBrand = new Map();
  for (const brand of reports) {
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
    h("span", { class: "chip" }, sentimentName(quote.sentiment)),
    h("button", { type: "button", class: "link", onclick: () => onOpen({ id: quote.answer }) }, source),
  );
}

/** Fills the section; without a quote there is none. */
export function drawQuotes(section, report, onOpen) {
  const found = quotesOf(report);
  section.hidden = found.length === 0;
  const own = report.brands.find((brand) => brand.is_own)?.name;
  const context = {
    names: new Map(report.platforms.map((platform) => [platform.id, platform.name])),
    numbers: new Map(report.questions.map((question, index) => [question.id, index + 1])),
    onOpen,
  };
  const group = ([name, quotes]) => {
    const items = quotes.map((quote) => quoteItem(quote, context));
    const rest = items.slice(SHOWN);
    const more = h("details", { class: "method" }, h("summary", {}, _("还有 {n} 条", { n: number(rest.length) })), h("ul", { class: "quotes" }, rest));
    return h("div", { class: "quote-group" }, h("h3", {}, brandChip(name, own)), h("ul", { class: "quotes" }, items.slice(0, SHOWN)), rest.length > 0 && more);
  };
  section.querySelector("div").replaceChildren(...found.map(group));
}
