/** The sentences about a diagnosis and its report that the mini-program and the web page share. */
(function (/** @type {any} */ root, /** @type {(i18n: Diag.I18n, format: Diag.Format) => Diag.DiagnosisText} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory(require('../../../presentation/i18n'), require('../../../presentation/format'));
  else {
    root.diag = root.diag || {};
    root.diag.createDiagnosisText = factory;
  }
})(this, function (i18n, format) {
  'use strict';

  const { _ } = i18n;
  const { number, roundedDuration } = format;

  const ANALYSIS_PERCENT = 95; // every answer is there

  /** `18 / 20 有效 · 1 条失败 · 1 条被过滤`. @param {any} counts */
  function coverage({ valid, planned, failed, filtered, truncated, repeated, without_search: withoutSearch }) {
    const parts = [_('{valid} / {planned} 有效', { valid: number(valid), planned: number(planned) })];
    if (failed) parts.push(_('{n} 条失败', { n: number(failed) }));
    if (filtered) parts.push(_('{n} 条被过滤', { n: number(filtered) }));
    if (truncated) parts.push(_('{n} 条被截断，不计入比例', { n: number(truncated) }));
    if (withoutSearch) parts.push(_('{n} 条没有按要求联网，不计入比例', { n: number(withoutSearch) }));
    if (repeated) parts.push(_('{n} 条与另一次逐字相同', { n: number(repeated) }));
    return parts.join(' · ');
  }

  /** What a retry does with the kept and the failed answers. @type {(kept: number, failed: number) => string} */
  function retryExplanation(kept, failed) {
    if (!kept) return _('会重新询问全部 {failed} 条。', { failed: number(failed) });
    return _('已有的 {kept} 条回答会原样沿用，只重新询问失败的 {failed} 条。', { kept: number(kept), failed: number(failed) });
  }

  /** null: unknown; at most 0: it takes longer than estimated. @type {Diag.DiagnosisText['timeLeft']} */
  function timeLeft(seconds, percentDone) {
    if (percentDone >= ANALYSIS_PERCENT) return _('即将完成');
    if (seconds === null) return _('剩余时间未知');
    return seconds > 0 ? _('还需约 {time}', { time: roundedDuration(seconds) }) : _('比预计的久，剩余时间未知');
  }

  /** When it will end, in milliseconds; null while unknown. Never later than estimated before. @type {Diag.DiagnosisText['updateEnd']} */
  function updateEnd(endsAt, seconds, now) {
    if (seconds === null || seconds === undefined) return endsAt;
    return Math.min(endsAt === null ? Infinity : endsAt, now + seconds * 1000);
  }

  /**
   * How the connection is shown; the label of a final state is empty.
   * @type {(state: string, wasConnected: boolean) => {id: string, label: string}}
   */
  function connectionStatus(state, wasConnected) {
    /** @type {{[id: string]: string}} */
    const known = {
      connecting: _('连接中'),
      live: _('实时'),
      polling: _('重连中'),
      suspended: _('已暂停'),
      offline: _('离线'),
      reconnecting: _('重连中'),
    };
    const id = state === 'connecting' && wasConnected ? 'reconnecting' : state;
    return known[id] ? { id, label: known[id] } : { id: '', label: '' };
  }

  const sentimentLabels = () => ({ positive: _('正面'), neutral: _('中性'), negative: _('负面'), unclear: _('不明确') });

  return { coverage, retryExplanation, timeLeft, updateEnd, connectionStatus, sentimentLabels };
});
