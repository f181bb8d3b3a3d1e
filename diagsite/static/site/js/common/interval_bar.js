// A rate with its interval: a bar to the value, whiskers to where the truth plausibly lies.

import { svg } from "./dom.js";

const HEIGHT = 20;
const at = (rate) => `${(rate * 100).toFixed(2)}%`;

/** A bar from 0 to 1. It repeats what stands beside it as text, so it is hidden from screen readers. */
export function intervalBar(rate, low, high) {
  const y = HEIGHT / 2;
  const picture = svg("svg", { class: "interval", width: "100%", height: HEIGHT, "aria-hidden": "true", focusable: "false" });
  picture.append(svg("rect", { class: "interval-track", x: 0, y: y - 4, width: "100%", height: 8, rx: 4 }));
  if (rate === null) return picture;
  if (rate > 0) picture.append(svg("rect", { class: "interval-value", x: 0, y: y - 4, width: at(rate), height: 8, rx: 4 }));
  const whisker = (x1, x2, y1, y2) => svg("line", { class: "interval-whisker", x1, x2, y1, y2 });
  picture.append(whisker(at(low), at(high), y, y));
  for (const end of [low, high]) picture.append(whisker(at(end), at(end), y - 6, y + 6));
  return picture;
}
