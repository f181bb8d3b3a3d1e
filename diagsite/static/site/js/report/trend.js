// The trend of a diagnosis that was repeated: a chart of the mention rate with its intervals, and the same as a table.

import { getTrend } from "../common/api.js";
import { config, _, diagnosisUrl } from "../common/config.js";
import { byId, h, setText, svg } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { interval, number, percent } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { breakTexts, changeChip, changeText, drawSurfaceSwitch } from "../common/rate_changes.js";

const HEIGHT = 200;
const PADDING = 14; // above 100 % and below 0 %, for points and the ends of whiskers
const SCALE_WIDTH = 12; // percent of the width
const LEFT_MARGIN = 3; // percent of the width, between the scale and the first point
const RIGHT_MARGIN = 3;

const toLength = (x) => `${x.toFixed(2)}%`;
const toY = (rate) => PADDING + (1 - rate) * (HEIGHT - 2 * PADDING);

function scale() {
  return [0, 0.5, 1].flatMap((rate) => [
    svg("line", { class: "trend-grid", x1: toLength(SCALE_WIDTH), x2: "100%", y1: toY(rate), y2: toY(rate) }),
    svg("text", { class: "trend-scale", x: toLength(SCALE_WIDTH - 2), y: toY(rate) + 4, "text-anchor": "end" }, percent(rate)),
  ]);
}

function whisker(x, { low, high }) {
  const line = (y1, y2, dx) => svg("line", { class: "trend-whisker", x1: toLength(x - dx), x2: toLength(x + dx), y1, y2 });
  return [line(toY(low), toY(high), 0), line(toY(low), toY(low), 0.7), line(toY(high), toY(high), 0.7)];
}

/** `steps`: `[{point, brand, change, breaks}]`, the oldest first. Hidden from screen readers, because the table says the same. */
function chart(steps, currentId) {
  const width = 100 - SCALE_WIDTH - LEFT_MARGIN - RIGHT_MARGIN;
  const toX = (index) => SCALE_WIDTH + LEFT_MARGIN + (steps.length > 1 ? (width * index) / (steps.length - 1) : width / 2);
  const picture = svg("svg", { width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" }, scale());
  steps.forEach(({ brand, change }, index) => {
    const before = steps[index - 1]?.brand;
    if (!change || change.counted_differently || change.measured_differently || !before || before.rate === null || brand.rate === null) return;
    const ends = { x1: toLength(toX(index - 1)), x2: toLength(toX(index)), y1: toY(before.rate), y2: toY(brand.rate) };
    picture.append(svg("line", { class: "trend-line", "data-changed": change.changed, ...ends }));
  });
  steps.forEach(({ breaks }, index) => {
    if (!breaks.length || !index) return;
    const x = toLength((toX(index - 1) + toX(index)) / 2);
    picture.append(svg("line", { class: "trend-break", x1: x, x2: x, y1: toY(1), y2: toY(0) }));
  });
  steps.forEach(({ point, brand }, index) => {
    if (brand.rate === null) return;
    const isCurrent = point.id === currentId;
    picture.append(...whisker(toX(index), brand));
    const center = { cx: toLength(toX(index)), cy: toY(brand.rate), r: isCurrent ? 6 : 4.5 };
    picture.append(svg("circle", { class: "trend-point", "data-current": isCurrent, ...center }));
  });
  const date = (index) => dateTime(steps[index].point.created_at);
  return [picture, h("p", { class: "trend-dates" }, date(0), steps.length > 1 && date(steps.length - 1))];
}

function tableRow({ point, brand, change, breaks }, currentId) {
  const isCurrent = point.id === currentId;
  const created = dateTime(point.created_at);
  return h(
    "tr",
    { "aria-current": isCurrent ? "true" : null },
    h("th", { scope: "row" }, isCurrent ? h("strong", {}, created) : h("a", { href: diagnosisUrl(point.id) }, created)),
    h(
      "td",
      {},
      percent(brand.rate),
      brand.rate !== null && h("span", { class: "range" }, interval(brand.low, brand.high)),
      h("span", { class: "range" }, _("共 {n} 条有效", { n: number(brand.valid) })),
    ),
    h(
      "td",
      {},
      change ? [changeChip(change), h("span", { class: "range" }, changeText(change))] : "–",
      breakTexts(breaks).map((text) => h("span", { class: "range break-text" }, text)),
    ),
  );
}

/** A brand in each diagnosis that has it, with its change since the diagnosis before. */
function listSteps(trend, name) {
  const findBrand = (brands) => brands.find((brand) => brand.name === name);
  const changes = new Map(trend.changes.map((change) => [change.after, findBrand(change.brands)]));
  const breaks = new Map(trend.changes.map((change) => [change.after, change.breaks]));
  return trend.points
    .map((point) => ({ point, brand: findBrand(point.brands), change: changes.get(point.id), breaks: breaks.get(point.id) || [] }))
    .filter(({ brand }) => brand);
}

function summary(trend) {
  if (trend.points.length < 2) return [_("同样的问题只有这一次诊断。定期重复，就能看出变化。")];
  const ownChange = trend.changes[trend.changes.length - 1].brands.find((brand) => brand.is_own);
  const count = _("同样的问题一共诊断过 {n} 次。", { n: number(trend.points.length) });
  if (!ownChange) return [count];
  return [count, " ", _("最近一次与上一次相比："), changeChip(ownChange), " ", changeText(ownChange)];
}

function drawBrand(trend, name, currentId) {
  const steps = listSteps(trend, name);
  byId("trend-chart").replaceChildren(...chart(steps, currentId).filter(Boolean));
  byId("trend-rows").replaceChildren(...steps.map((step) => tableRow(step, currentId)).reverse());
}

function drawBrandSwitch(trend, currentId) {
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
  fieldset.onchange = (event) => drawBrand(trend, event.target.value, currentId);
  drawBrand(trend, brands[0].name, currentId);
}

/** Load and show the trend that a diagnosis belongs to. */
export async function showTrend(diagnosisId, surface = null) {
  byId("repeat").href = `${config.urls.schedules}?from=${diagnosisId}`;
  byId("trend-section").hidden = false;
  try {
    const trend = await getTrend(diagnosisId, surface);
    drawSurfaceSwitch(byId("trend-surfaces"), trend, (selected) => showTrend(diagnosisId, selected));
    byId("trend-summary").replaceChildren(...summary(trend));
    byId("trend-figures").hidden = trend.points.length < 2;
    if (trend.points.length > 1) drawBrandSwitch(trend, diagnosisId);
  } catch (error) {
    setText(byId("trend-summary"), "");
    showProblem(error, { actions: { retry: () => showTrend(diagnosisId, surface) }, container: byId("trend-problem"), display: "inline" });
  }
}
