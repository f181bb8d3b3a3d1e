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

  const MAX_PLATFORMS = 12;

  /** Only the demo is free: a real platform without a cost is one whose prices have not been entered. @param {any} platform */
  const hasPrice = (platform) => platform.demo || Number(platform.cost_per_answer) > 0;

  /** The end of a pause: with its day, unless that is today. @param {string} iso */
  function describePauseEnd(iso) {
    const isToday = new Date(iso).toDateString() === new Date().toDateString();
    return isToday ? timeOfDay(iso) : (format.dateTime || format.dateTimeText)(iso);
  }

  /** @param {any} platform */
  function describeHealth(platform) {
    if (platform.healthy) return _('可用');
    return platform.paused_until ? _('暂停至 {time}', { time: describePauseEnd(platform.paused_until) }) : _('暂时不可用');
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
    speed: platform.seconds_per_call ? _('约 {time}', { time: roundedDuration(platform.seconds_per_call) }) : '',
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
    // The preferred ones that can be called, of one kind: demo and real are never mixed.
    const usable = preferred.map((id) => healthy.find((platform) => platform.id === id)).filter(Boolean);
    if (!usable.length) return healthy.slice(0, 1).map(({ id }) => id);
    return usable.filter((platform) => platform.demo === usable[0].demo).map(({ id }) => id);
  }

  /**
   * How long the calls take on one platform, with the wait for the end of its pause; null if unknown. The server has the same
   * formula: diagnosis/platforms/durations.py. @type {Diag.Platforms['estimateSeconds']}
   */
  function estimateSeconds(platform, calls, now = Date.now()) {
    if (!calls) return 0;
    const isUnknown = !platform.seconds_per_call || (!platform.healthy && !platform.paused_until);
    if (isUnknown) return null;
    const rate = platform.requests_per_minute;
    const rateWait = (Math.max(0, calls - rate) * 60) / rate;
    const rounds = Math.ceil(calls / platform.concurrency);
    const pause = platform.paused_until ? Math.max(0, (Date.parse(platform.paused_until) - now) / 1000) : 0;
    return pause + Math.max(rounds * platform.seconds_per_call, rateWait + platform.seconds_per_call);
  }

  /** @type {(platforms: any[], callsPerPlatform: number) => string} */
  function describeDuration(platforms, callsPerPlatform) {
    if (!callsPerPlatform || !platforms.length) return '–';
    const seconds = platforms.map((platform) => estimateSeconds(platform, callsPerPlatform));
    if (seconds.includes(null)) return _('未知');
    return _('约 {time}', { time: roundedDuration(Math.max(...seconds.map(Number))) });
  }

  /**
   * The estimate of a diagnosis as text; a dash where a platform has no price. With a paused platform, its duration is that of
   * the complete result. @type {Diag.Platforms['describeEstimate']}
   */
  function describeEstimate(platforms, questions, repeats) {
    const callsPerPlatform = questions * repeats;
    const calls = callsPerPlatform * platforms.length;
    const cost = platforms.reduce((sum, platform) => sum + callsPerPlatform * Number(platform.cost_per_answer), 0);
    const hasCost = calls > 0 && platforms.every(hasPrice);
    const costText = cost > 0 ? _('约 {price}', { price: money(cost) }) : _('免费');
    return {
      calls: number(calls),
      breakdown: _('{q} 个问题 × {p} 个平台 × {r} 次', { q: questions, p: platforms.length, r: repeats }),
      duration: describeDuration(platforms, callsPerPlatform),
      cost: hasCost ? costText : '–',
    };
  }

  /** A platform without a pause may only be waiting for its health check. @param {any} platform */
  const cannotBeCalled = (platform) => !platform.healthy && (Boolean(platform.paused_until) || !platform.pause_reason);

  /**
   * What the user should know of the selection before it is sent: which platforms will not answer now, and until when; and why
   * it cannot be sent at all. @type {Diag.Platforms['describeSelection']}
   */
  function describeSelection(platforms) {
    const warnings = platforms.filter(cannotBeCalled).map((platform) =>
      _('{name}：{health}，暂不回答。', { name: platform.name, health: describeHealth(platform) }));
    const isMixed = platforms.some(({ demo }) => demo) && platforms.some(({ demo }) => !demo);
    if (isMixed) return { warnings, error: _('演示与真实平台不能混选。') };
    const isHopeless = platforms.length > 0 && platforms.every(cannotBeCalled);
    return { warnings, error: isHopeless ? _('所选平台现在都不可用。') : '' };
  }

  return { MAX_PLATFORMS, describePlatform, selectPlatforms, estimateSeconds, describeEstimate, describeSelection };
});
