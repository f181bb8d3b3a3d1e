// The trend of a panel on the page of one diagnosis: points with whiskers, and the same as a table.

import { getTrend } from "../common/api.js";
import { changeChip, changeWords } from "../common/rate_changes.js";
import { config, _ } from "../common/config.js";
import { byId, h, setText, svg } from "../common/dom.js";
import { showProblem } from "../common/problem_display.js";
import { moment, number, percent } from "../common/format.js";

const HEIGHT = 200;
const EDGE = 14; // above 100 % and below 0 %, for whiskers' ends and points
const LEFT = 12; // percent of the width, for the scale

const diagnosisUrl = (id) => config.urls.diagnosis.replace("{id}", id);
const at = (x) => `${x.toFixed(2)}%`;
const height = (rate) => EDGE + (1 - rate) * (HEIGHT - 2 * EDGE);

function scale() {
  return [0, 0.5, 1].flatMap((rate) => [
    svg("line", { class: "trend-grid", x1: at(LEFT), x2: "100%", y1: height(rate), y2: height(rate) }),
    svg("text", { class: "trend-scale", x: at(LEFT - 2), y: height(rate) + 4, "text-anchor": "end" }, percent(rate)),
  ]);
}

function whisker(x, { low, high }) {
  const line = (y1, y2, dx) => svg("line", { class: "trend-whisker", x1: at(x - dx), x2: at(x + dx), y1, y2 });
  return [line(height(low), height(high), 0), line(height(low), height(low), 0.7), line(height(high), height(high), 0.7)];
}

/** `steps`: `[{point, brand, change}]`, the oldest first. It repeats the table, so it is hidden from screen readers. */
function chart(steps, current) {
  const room = 100 - LEFT - 6;
  const x = (index) => LEFT + 3 + (steps.length > 1 ? (room * index) / (steps.length - 1) : room / 2);
  const picture = svg("svg", { width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" }, scale());
  steps.forEach(({ brand, change }, index) => {
    const before = steps[index - 1]?.brand;
    if (!change || !before || before.rate === null || brand.rate === null) return;
    const ends = { x1: at(x(index - 1)), x2: at(x(index)), y1: height(before.rate), y2: height(brand.rate) };
    picture.append(svg("line", { class: "trend-line", "data-changed": change.changed, ...ends }));
  });
  steps.forEach(({ point, brand }, index) => {
    if (brand.rate === null) return;
    picture.append(...whisker(x(index), brand));
    picture.append(svg("circle", { class: "trend-point", "data-current": point.id === current, cx: at(x(index)), cy: height(brand.rate), r: point.id === current ? 6 : 4.5 }));
  });
  const day = (index) => moment(steps[index].point.created_at);
  return [picture, h("p", { class: "trend-days" }, day(0), steps.length > 1 && day(steps.length - 1))];
}

function row({ point, brand, change }, current) {
  const isCurrent = point.id === current;
  const when = isCurrent ? h("strong", {}, moment(point.created_at)) : h("a", { href: diagnosisUrl(point.id) }, moment(point.created_at));
  const range = _("区间 {low}–{high}", { low: percent(brand.low), high: percent(brand.high) });
  return h(
    "tr",
    { "aria-current": isCurrent ? "true" : null },
    h("th", { scope: "row" }, when),
    h("td", {}, percent(brand.rate), h("span", { class: "range" }, range), h("span", { class: "range" }, _("共 {n} 条有效", { n: number(brand.valid) }))),
    h("td", {}, change ? [changeChip(change), h("span", { class: "range" }, changeWords(change))] : "–"),
  );
}

/** The brand in each diagnosis that looked for it, with its change since the diagnosis before. */
function stepsOf(trend, name) {
  const changes = new Map(trend.changes.map((step) => [step.after, step.brands.find((brand) => brand.name === name)]));
  return trend.points
    .map((point) => ({ point, brand: point.brands.find((brand) => brand.name === name), change: changes.get(point.id) }))
    .filter(({ brand }) => brand);
}

function summary(trend) {
  if (trend.points.length < 2) return [_("同样的问题只有这一次诊断。定期重复，就能看出变化。")];
  const last = trend.changes[trend.changes.length - 1].brands.find((brand) => brand.is_own);
  const count = _("同样的问题一共诊断过 {n} 次。", { n: number(trend.points.length) });
  if (!last) return [count];
  return [count, " ", _("最近一次与上一次相比："), changeChip(last), " ", changeWords(last)];
}

function drawBrand(trend, name, current) {
  const steps = stepsOf(trend, name);
  byId("trend-chart").replaceChildren(...chart(steps, current).filter(Boolean));
  byId("trend-rows").replaceChildren(...steps.map((step) => row(step, current)).reverse());
}

function drawSwitch(trend, current) {
  const brands = [...trend.points[trend.points.length - 1].brands].sort((a, b) => b.is_own - a.is_own);
  const fieldset = byId("trend-brands");
  fieldset.querySelector(".segments").replaceChildren(
    ...brands.map(({ name }, index) => {
      const radio = h("input", { type: "radio", name: "trend-brand", value: name });
      radio.checked = index === 0;
      return h("label", { class: "segment" }, radio, h("span", {}, name));
    }),
  );
  fieldset.hidden = brands.length < 2;
  fieldset.onchange = (event) => drawBrand(trend, event.target.value, current);
  drawBrand(trend, brands[0].name, current);
}

async function show(id) {
  byId("repeat").href = `${config.urls.schedules}?from=${id}`;
  byId("trend-section").hidden = false;
  try {
    const trend = await getTrend(id);
    byId("trend-summary").replaceChildren(...summary(trend));
    byId("trend-figures").hidden = trend.points.length < 2;
    if (trend.points.length > 1) drawSwitch(trend, id);
  } catch (error) {
    setText(byId("trend-summary"), "");
    showProblem(error, { actions: { retry: () => show(id) }, where: byId("trend-problem"), display: "inline" });
  }
}

document.addEventListener("report-shown", (event) => show(event.detail.id));
