// Which sites the answers cite. That a platform names none does not mean that it has used none.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { listed, number } from "../common/format.js";

/** Fills the section. */
export function drawDomains(section, report) {
  section.hidden = report.valid === 0;
  const names = new Map(report.platforms.map((platform) => [platform.id, platform.name]));
  const citing = (domain) =>
    Object.entries(report.domains_by_platform)
      .filter(([, domains]) => domains?.some((one) => one.domain === domain))
      .map(([platform]) => names.get(platform) || platform);
  const silent = Object.entries(report.domains_by_platform).filter(([, domains]) => !domains).map(([platform]) => names.get(platform) || platform);
  section.querySelector("ul").replaceChildren(
    ...(report.domains || []).map(({ domain, answers }) =>
      h("li", {}, h("span", { class: "domain" }, domain), h("span", { class: "range" }, _("{n} 条回答 · {platforms}", { n: number(answers), platforms: listed(citing(domain)) }))),
    ),
  );
  const remark = section.querySelector(".hint");
  remark.hidden = silent.length === 0;
  setText(remark, _("{platforms}的回答没有给出来源：不是没有引用，是无从知道。", { platforms: listed(silent) }));
}
