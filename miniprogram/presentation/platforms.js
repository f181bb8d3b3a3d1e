/** The picker of AI platforms: what each is, whether it is well, what it costs and how long it takes. */
'use strict';

const { _ } = require('./words');
const { about, timeOfDay, yuan } = require('./format');

const MOST = 10;
// How many calls one platform answers side by side; only for the estimate.
const SIDE_BY_SIDE = 4;

/** Only the demo is free: a real platform at 0 is one whose price nobody has entered. @param {any} platform */
const hasPrice = (platform) => platform.demo || Number(platform.price_per_call) > 0;

/** @param {any} platform */
function price(platform) {
  if (!hasPrice(platform)) return '';
  const value = Number(platform.price_per_call);
  return value > 0 ? _('{price}/次', { price: yuan(value) }) : _('免费');
}

/** @param {any} platform */
function health(platform) {
  if (platform.healthy) return _('可用');
  return platform.paused_until ? _('暂停至 {time}', { time: timeOfDay(platform.paused_until) }) : _('暂时不可用');
}

/** A platform as the picker shows it. @type {(platform: any, isChosen: boolean) => any} */
function platformCard(platform, isChosen) {
  return {
    id: platform.id,
    name: platform.name,
    model: platform.model,
    demo: platform.demo,
    healthy: platform.healthy,
    health: health(platform),
    price: price(platform),
    speed: platform.typical_seconds ? _('约 {time}', { time: about(Number(platform.typical_seconds)) }) : '',
    isChosen,
  };
}

/** Whoever ran on real platforms is not moved to the demo by "switch platform", nor the other way round. */
/** @type {(platform: any, wanted: string[], platforms: any[]) => boolean} */
function isSameKind(platform, wanted, platforms) {
  const before = platforms.filter(({ id }) => wanted.includes(id));
  return !before.length || before.some(({ demo }) => demo === platform.demo);
}

/**
 * The platforms to tick first: those asked for, else all healthy ones on request, else the first healthy one.
 * @type {(platforms: any[], choice: {wanted: string[], allHealthy?: boolean}) => string[]}
 */
function firstChoice(platforms, { wanted, allHealthy }) {
  const healthy = platforms.filter((platform) => platform.healthy);
  if (allHealthy) return healthy.filter((one) => isSameKind(one, wanted, platforms)).slice(0, MOST).map(({ id }) => id);
  const known = wanted.filter((id) => platforms.some((platform) => platform.id === id));
  return known.length ? known : healthy.slice(0, 1).map(({ id }) => id);
}

/**
 * `{calls, seconds, cost}` of a diagnosis; seconds and cost are null where a platform doesn't say.
 * @type {(platforms: any[], questions: number, repeats: number) => {calls: number, seconds: number | null, cost: number | null}}
 */
function estimate(platforms, questions, repeats) {
  const perPlatform = questions * repeats;
  const rounds = Math.ceil(perPlatform / SIDE_BY_SIDE);
  const isTimed = platforms.every((one) => one.typical_seconds);
  return {
    calls: perPlatform * platforms.length,
    seconds: isTimed ? Math.max(0, ...platforms.map((one) => rounds * Number(one.typical_seconds))) : null,
    cost: platforms.every(hasPrice) ? platforms.reduce((sum, one) => sum + perPlatform * Number(one.price_per_call), 0) : null,
  };
}

module.exports = { platformCard, firstChoice, estimate, MOST };
