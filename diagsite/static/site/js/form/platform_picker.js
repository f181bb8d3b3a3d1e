// The picker of AI platforms: what each is, whether it is well, what it costs and how long it takes.

import { _ } from "../common/config.js";
import { h } from "../common/dom.js";
import { about, demoTag, timeOfDay, yuan } from "../common/format.js";

function health(platform) {
  if (platform.healthy) return h("span", { class: "health", "data-healthy": "yes" }, _("可用"));
  const text = platform.paused_until ? _("暂停至 {time}", { time: timeOfDay(platform.paused_until) }) : _("暂时不可用");
  return h("span", { class: "health", "data-healthy": "no" }, text);
}

// Only the demo is free: a real platform at 0 is one whose price nobody has entered.
const hasPrice = (platform) => platform.demo || Number(platform.price_per_call) > 0;

function price(platform) {
  if (!hasPrice(platform)) return null;
  const value = Number(platform.price_per_call);
  return value > 0 ? _("{price}/次", { price: yuan(value) }) : _("免费");
}

function facts(platform) {
  const speed = platform.typical_seconds ? _("约 {time}", { time: about(Number(platform.typical_seconds)) }) : null;
  const parts = [health(platform), price(platform), speed].filter(Boolean);
  return h("span", { class: "platform-facts" }, parts.map((part) => h("span", {}, part)));
}

function card(platform, isChosen) {
  const box = h("input", { type: "checkbox", name: "platforms", value: platform.id });
  box.checked = isChosen;
  return h(
    "li",
    {},
    h(
      "label",
      { class: "platform-card" },
      box,
      h(
        "span",
        { class: "platform-text" },
        h("span", { class: "platform-name" }, platform.name, platform.demo && demoTag()),
        h("span", { class: "platform-model" }, platform.model),
        facts(platform),
      ),
    ),
  );
}

const MAX = 10;

/** The platforms to tick first: those asked for, else all healthy ones on request, else the first healthy one. */
export function firstChoice(platforms, { wanted, allHealthy }) {
  const healthy = platforms.filter((platform) => platform.healthy);
  if (allHealthy) return healthy.filter((one) => isSameKind(one, wanted, platforms)).slice(0, MAX).map(({ id }) => String(id));
  const known = (wanted || []).filter((id) => platforms.some((platform) => String(platform.id) === id));
  return known.length ? known : healthy.slice(0, 1).map(({ id }) => String(id));
}

// Whoever ran on real platforms is not moved to the demo by "switch platform", nor the other way round.
function isSameKind(platform, wanted, platforms) {
  const before = platforms.filter(({ id }) => (wanted || []).includes(String(id)));
  return !before.length || before.some(({ demo }) => demo === platform.demo);
}

/** Draws the cards into `list`. */
export function drawPlatforms(list, platforms, chosen) {
  list.replaceChildren(...platforms.map((platform) => card(platform, chosen.includes(String(platform.id)))));
}

/** The ids that are ticked. */
export function chosenIds(list) {
  return [...list.querySelectorAll("input:checked")].map((box) => box.value);
}

// How many calls one platform answers side by side; only for the estimate.
const SIDE_BY_SIDE = 4;

/** `{calls, seconds, cost}` of a diagnosis; seconds and cost are null where a platform doesn't say. */
export function estimate(platforms, questions, repeats) {
  const perPlatform = questions * repeats;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const rounds = Math.ceil(perPlatform / SIDE_BY_SIDE);
  return {
    calls: perPlatform * platforms.length,
    seconds: platforms.every((one) => one.typical_seconds) ? Math.max(0, ...platforms.map((one) => rounds * Number(one.typical_seconds))) : null,
    cost: platforms.every(hasPrice) ? sum(platforms.map((one) => perPlatform * Number(one.price_per_call))) : null,
  };
}
