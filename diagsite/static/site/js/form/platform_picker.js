// The platforms of the form: cards with health, price and speed. The texts and the selection are shared with the mini-program.

import { _, i18n } from "../common/config.js";
import { h } from "../common/dom.js";
import { demoTag } from "../common/elements.js";
import * as format from "../common/format.js";

const { describeEstimate, describePlatform, describeSelection, selectPlatforms } = window.diag.createPlatforms(i18n, format);

export { describeEstimate, describeSelection, selectPlatforms };

function platformCard(platform, isSelected) {
  const { health, price, speed } = describePlatform(platform);
  const facts = [h("span", { class: "health", "data-healthy": platform.healthy ? "yes" : "no" }, health), price, speed];
  const checkbox = h("input", { type: "checkbox", name: "platforms", value: platform.id });
  checkbox.checked = isSelected;
  return h(
    "li",
    {},
    h(
      "label",
      { class: "platform-card" },
      checkbox,
      h(
        "span",
        { class: "platform-text" },
        h("span", { class: "platform-name" }, platform.name, platform.demo && demoTag()),
        h("span", { class: "platform-model" }, platform.model),
        platform.filing_number && h("span", { class: "platform-model" }, _("备案号 {number}", { number: platform.filing_number })),
        h("span", { class: "platform-facts" }, facts.filter(Boolean).map((fact) => h("span", {}, fact))),
      ),
    ),
  );
}

/** Draw the cards into `list`; `selected` are ids. */
export function drawPlatforms(list, platforms, selected) {
  list.replaceChildren(...platforms.map((platform) => platformCard(platform, selected.includes(platform.id))));
}

/** Return the ids of the ticked platforms. */
export function getSelectedIds(list) {
  return [...list.querySelectorAll("input:checked")].map((checkbox) => checkbox.value);
}
