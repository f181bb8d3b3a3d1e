/** AI platforms as the form shows them, and the estimate of a diagnosis; for the mini-program and the web page. */
(function (/** @type {any} */ root, /** @type {(i18n: Diag.I18n, format: any) => Diag.Platforms} */ factory) {
  if (typeof module === 'object' && module.exports) {
    module.exports = factory(require('./i18n'), Object.assign({}, require('./format'), require('./dates')));
  } else {
    root.diag = root.diag || {};
    root.diag.createPlatforms = factory;
  }
})(this, function (i18n, format) {
  'use strict';

  const { _ } = i18n;
  const { money, number, roundedDuration, timeOfDay } = format;

  const MAX_PLATFORMS = 10;
  // Calls that one platform answers in parallel; only for the estimate.
  const PARALLEL_CALLS = 4;

  /** Only the demo is free: a real platform without a cost is one whose prices have not been entered. @param {any} platform */
  const hasPrice = (platform) => platform.demo || Number(platform.cost_per_answer) > 0;

  /** @param {any} platform */
  function describeHealth(platform) {
    if (platform.healthy) return _('可用');
    return platform.paused_until ? _('暂停至 {time}', { time: timeOfDay(platform.paused_until) }) : _('暂时不可用');
  }

  /** @param {any} platform */
  function describePrice(platform) {
    if (!hasPrice(platform)) return '';
    const value = Number(platform.cost_per_answer);
    return value > 0 ? _('{price}/次', { price: money(value) }) : _('免费');
  }

  /** Health, price and speed as text; an unknown price or speed is empty. @type {Diag.Platforms['describePlatform']} */
  const describePlatform = (platform) => ({
    health: describeHealth(platform),
    price: describePrice(platform),
    speed: platform.typical_seconds ? _('约 {time}', { time: roundedDuration(Number(platform.typical_seconds)) }) : '',
  });

  /** @type {Diag.Platforms['selectPlatforms']} */
  function selectPlatforms(platforms, { preferred, allHealthy }) {
    const healthy = platforms.filter((platform) => platform.healthy);
    const known = platforms.filter(({ id }) => preferred.includes(id));
    if (allHealthy) {
      // "Switch platform" never replaces real platforms by the demo, nor the demo by real ones.
      const isSameKind = (/** @type {any} */ { demo }) => !known.length || known.some((platform) => platform.demo === demo);
      return healthy.filter(isSameKind).slice(0, MAX_PLATFORMS).map(({ id }) => id);
    }
    if (!known.length) return healthy.slice(0, 1).map(({ id }) => id);
    return preferred.filter((id) => known.some((platform) => platform.id === id));
  }

  /** The estimate of a diagnosis as text; a dash where a platform has no typical time or no price. @type {Diag.Platforms['describeEstimate']} */
  function describeEstimate(platforms, questions, repeats) {
    const callsPerPlatform = questions * repeats;
    const calls = callsPerPlatform * platforms.length;
    const rounds = Math.ceil(callsPerPlatform / PARALLEL_CALLS);
    const seconds = Math.max(0, ...platforms.map((platform) => rounds * Number(platform.typical_seconds)));
    const cost = platforms.reduce((sum, platform) => sum + callsPerPlatform * Number(platform.cost_per_answer), 0);
    const hasTime = calls > 0 && platforms.every((platform) => platform.typical_seconds);
    const hasCost = calls > 0 && platforms.every(hasPrice);
    const costText = cost > 0 ? _('约 {price}', { price: money(cost) }) : _('免费');
    return {
      calls: number(calls),
      breakdown: _('{q} 个问题 × {p} 个平台 × {r} 次', { q: questions, p: platforms.length, r: repeats }),
      duration: hasTime ? _('约 {time}', { time: roundedDuration(seconds) }) : '–',
      cost: hasCost ? costText : '–',
    };
  }

  return { MAX_PLATFORMS, describePlatform, selectPlatforms, describeEstimate };
});
