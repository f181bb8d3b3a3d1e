// A chart of a brand's mention rate over several diagnoses, with intervals and breaks.

import { h, svg } from "./dom.js";
import { dateTime } from "./elements.js";
import { percent } from "./format.js";

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
export function drawTrendChart(steps, currentId) {
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
