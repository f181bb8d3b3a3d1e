// Brands that the answers mention although they were not requested; a click adds one as a competitor of this report.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";

/** Fill the section; `onAdd` gets the name and the button. */
export function drawOtherBrands(section, report, onAdd) {
  section.hidden = report.others.length === 0;
  section.querySelector("ul").replaceChildren(
    ...report.others.map(({ name, answers, is_guess: isGuess }) => {
      const shown = isGuess ? _("{name}（推测）", { name }) : name;
      const label = _("把“{brand}”加为竞品", { brand: name });
      const button = h("button", { type: "button", class: "button other-brand", "aria-label": label, onclick: () => onAdd(name, button) }, `＋ ${shown}`, h("small", {}, _("{n} 条", { n: number(answers) })));
      return h("li", {}, button);
    }),
  );
}
