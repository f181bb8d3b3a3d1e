// The hosts of addresses in the texts of the answers: mentioned, which says nothing about sources.

import { _ } from "../common/config.js";
import { h, setText } from "../common/dom.js";
import { joinNames, number } from "../common/format.js";

/** Fill the section. */
export function drawDomains(section, report) {
  section.hidden = !report.domains?.length;
  const names = new Map(report.platforms.map((platform) => [platform.id, platform.name]));
  const findPlatforms = (domain) =>
    Object.entries(report.domains_by_platform)
      .filter(([, domains]) => domains?.some((one) => one.domain === domain))
      .map(([platform]) => names.get(platform) || platform);
  const withoutAddresses = Object.entries(report.domains_by_platform).filter(([, domains]) => !domains).map(([platform]) => names.get(platform) || platform);
  section.querySelector("ul").replaceChildren(
    ...(report.domains || []).map(({ domain, answers }) =>
      h("li", {}, h("span", { class: "domain" }, domain), h("span", { class: "range" }, _("{n} 条回答 · {platforms}", { n: number(answers), platforms: joinNames(findPlatforms(domain)) }))),
    ),
  );
  const remark = section.querySelector(".none");
  remark.hidden = withoutAddresses.length === 0;
  setText(remark, _("{platforms}的回答里没有网址。", { platforms: joinNames(withoutAddresses) }));
}
