// Links to the sections of the report that are shown, with the one on the screen marked.

import { h } from "../common/dom.js";

let observer = null;

function getSections() {
  const sections = [...document.querySelectorAll("#report > section[aria-labelledby], #trend-section, #answers-section")];
  return sections.filter((section) => section.id && section.offsetParent !== null);
}

function getTitle(section) {
  return document.getElementById(section.getAttribute("aria-labelledby")).textContent.trim();
}

function markCurrent(link) {
  link.setAttribute("aria-current", "true");
  const list = link.closest("ul");
  list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
}

/** Draw the links again, after sections have appeared or disappeared. */
export function drawSectionNav(nav) {
  const links = new Map(getSections().map((section) => [section, h("a", { href: `#${section.id}` }, getTitle(section))]));
  nav.hidden = links.size < 2;
  nav.querySelector("ul").replaceChildren(...[...links.values()].map((link) => h("li", {}, link)));
  observer?.disconnect();
  observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) markCurrent(links.get(target));
        else links.get(target).removeAttribute("aria-current");
      }
    },
    { rootMargin: "-30% 0px -65% 0px" },
  );
  for (const section of links.keys()) observer.observe(section);
}
