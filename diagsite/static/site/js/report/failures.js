// The missing answers by platform and reason; they are in no denominator.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { number } from "../common/format.js";

/** Fill the section; hide it when no answer is missing. */
export function drawFailures(section, report) {
  const names = new Map(report.platforms.map((platform) => [platform.id, platform.name]));
  section.hidden = report.failures.length === 0;
  section.querySelector("ul").replaceChildren(
    ...report.failures.map((failure) =>
      h(
        "li",
        {},
        h("p", { class: "failure-title" }, h("strong", {}, names.get(failure.platform) || failure.platform), ` ${failure.title} `, h("span", { class: "chip" }, _("{n} 条", { n: number(failure.count) }))),
        failure.suggestion && h("p", { class: "hint" }, failure.suggestion),
      ),
    ),
  );
}
