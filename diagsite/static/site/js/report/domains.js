// The sites that the answers cite. A platform without sources may have used some all the same.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { joinNames, number } from "../common/format.js";

/** Fill the section. */
export function drawDomains(section, report) {
  section.hidden = report.valid === 0;
  const names = new Map(report.platforms.map((platform) => [platform.id, platform.name]));
  const findCitingPlatforms = (domain) =>
    Object.entries(report.domains_by_platform)
      .filter(([, domains]) => domains?.some((one) => one.domain === domain))
      .map(([platform]) => names.get(platform) || platform);
  const withoutSources = Object.entries(report.domains_by_platform).filter(([, domains]) => !domains).map(([platform]) => names.get(platform) || platform);
  section.querySelector("ul").replaceChildren(
    ...(report.domains || []).map(({ domain, answers }) =>
      h("li", {}, h("span", { class: "domain" }, domain), h("span", { class: "range" }, _("{n} 条回答 · {platforms}", { n: number(answers), platforms: joinNames(findCitingPlatforms(domain)) }))),
    ),
  );
  const remark = section.querySelector(".hint");
  remark.hidden = withoutSources.length === 0;
  setText(remark, _("{platforms}的回答没有给出来源，这不等于没有引用。", { platforms: joinNames(withoutSources) }));
}
