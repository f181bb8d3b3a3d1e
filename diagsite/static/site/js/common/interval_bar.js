// A rate and its confidence interval, drawn as a bar with whiskers.

import { svg } from "./dom.js";

const HEIGHT = 20;
const toLength = (rate) => `${(rate * 100).toFixed(2)}%`;

/** A bar from 0 to 1. Hidden from screen readers, because the text beside it says the same. */
export function intervalBar(rate, low, high) {
  const y = HEIGHT / 2;
  const picture = svg("svg", { class: "interval", width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" });
  picture.append(svg("rect", { class: "interval-track", x: 0, y: y - 4, width: "100%", height: 8, rx: 4 }));
  if (rate === null) return picture;
  if (rate > 0) picture.append(svg("rect", { class: "interval-value", x: 0, y: y - 4, width: toLength(rate), height: 8, rx: 4 }));
  const whisker = (x1, x2, y1, y2) => svg("line", { class: "interval-whisker", x1, x2, y1, y2 });
  picture.append(whisker(toLength(low), toLength(high), y, y));
  for (const end of [low, high]) picture.append(whisker(toLength(end), toLength(end), y - 6, y + 6));
  return picture;
}
