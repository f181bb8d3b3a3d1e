// The trend of a diagnosis that was repeated: a chart of the mention rate with its intervals, and the same as a table.

import { getTrend } from "../common/api.js";
import { config, _, diagnosisUrl } from "../common/config.js";
import { byId, h, setText } from "../common/dom.js";
import { dateTime } from "../common/elements.js";
import { interval, number, percent } from "../common/format.js";
import { showProblem } from "../common/problem_display.js";
import { drawTrendChart } from "../common/trend_chart.js";
import { breakTexts, changeChip, changeText, drawSurfaceSwitch } from "../common/rate_changes.js";

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
  byId("trend-chart").replaceChildren(...drawTrendChart(steps, currentId).filter(Boolean));
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
