// The own brand's mention rate on each platform, with its interval.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { demoTag } from "../common/elements.js";
import { number, surfaceLabel } from "../common/format.js";
import { mentionCount, rateParts, remark } from "./cells.js";

function platformItem(platform, figures, surface) {
  const counts = _("{valid} / {planned} 有效", { valid: number(figures.valid), planned: number(figures.planned) });
  return h(
    "li",
    { class: "platform-rate" },
    h("span", { class: "platform-rate-name" }, platform.name, platform.demo && demoTag(), surface && h("span", { class: "chip" }, surfaceLabel(surface))),
    h(
      "div",
      { class: "cell own" },
      figures.valid > 0 ? rateParts(figures.mention_rate, figures.mention_rate_low, figures.mention_rate_high) : h("span", { class: "range" }, _("没有有效的回答")),
    ),
    remark(figures.valid > 0 && [mentionCount(figures.mentions, figures.valid), h("br")], counts),
  );
}

/** Fill the section; hide it without a valid answer. */
export function drawPlatformRates(section, report) {
  const own = report.brands.find((brand) => brand.is_own);
  section.hidden = !own?.figures.valid;
  if (section.hidden) return;
  section.querySelector("ul").replaceChildren(...report.platforms.map((platform) => platformItem(platform, own.by_platform[platform.id], report.surfaces.length > 1 && report.method.surfaces[platform.id])));
}
