/** The sentences about a diagnosis and its report that the mini-program and the web page share. */
(function (/** @type {any} */ root, /** @type {(i18n: Diag.I18n, format: Diag.Format) => Diag.DiagnosisText} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory(require('./i18n'), require('./format'));
  else {
    root.diag = root.diag || {};
    root.diag.createDiagnosisText = factory;
  }
})(this, function (i18n, format) {
  'use strict';

  const { _ } = i18n;
  const { joinNames, number, percent, roundedDuration } = format;

  const NEARLY_DONE_PERCENT = 90;

  /** @type {(a: any, b: any) => boolean} */
  const intervalsOverlap = (a, b) => a.mention_rate_low <= b.mention_rate_high && b.mention_rate_low <= a.mention_rate_high;

  /** Compare the own mention rate with the best competitor's. @type {(own: any, competitors: any[]) => string} */
  function comparison(own, competitors) {
    const rate = own.figures.mention_rate;
    const best = Math.max(...competitors.map(({ figures }) => figures.mention_rate));
    const leaders = competitors.filter(({ figures }) => figures.mention_rate === best);
    const values = { rivals: joinNames(leaders.map(({ name }) => name)), rate: percent(best) };
    if (best === 0 && rate > 0) return _('竞品都没有被提到');
    if (rate === best) return _('与{rivals}持平', values);
    if (leaders.some(({ figures }) => intervalsOverlap(own.figures, figures))) {
      return rate > best
        ? _('略高于{rivals}（{rate}），但样本还不足以分出高下', values)
        : _('略低于{rivals}（{rate}），但样本还不足以分出高下', values);
    }
    return rate > best ? _('明显高于{rivals}（{rate}）', values) : _('明显低于{rivals}（{rate}）', values);
  }

  /** The report in one sentence. @param {any} report */
  function headline(report) {
    const own = report.brands.find((/** @type {any} */ brand) => brand.is_own);
    const competitors = report.brands.filter((/** @type {any} */ brand) => !brand.is_own);
    if (!own && report.valid) return _('回答已经存好，但这一次没能算出数字。');
    if (report.recognition && !report.unbranded.planned) return _('每个问题都写了品牌名，测不出提及率。');
    if (!own || !own.figures.valid) return _('这一次没有得到可用的回答，还不能下结论。');
    const values = { brand: own.name, rate: percent(own.figures.mention_rate), valid: number(own.figures.valid) };
    if (!own.figures.mentions && !competitors.some((/** @type {any} */ { figures }) => figures.mentions)) {
      return _('{valid} 条有效回答里，没有一条提到“{brand}”，也没有提到竞品。', values);
    }
    if (!competitors.length) return _('“{brand}”出现在 {rate} 的 AI 回答里。', values);
    return _('“{brand}”出现在 {rate} 的 AI 回答里，{comparison}。', Object.assign({ comparison: comparison(own, competitors) }, values));
  }

  /** `18 / 20 有效 · 1 条失败 · 1 条被过滤`. @param {any} counts */
  function coverage({ valid, planned, failed, filtered }) {
    const parts = [_('{valid} / {planned} 有效', { valid: number(valid), planned: number(planned) })];
    if (failed) parts.push(_('{n} 条失败', { n: number(failed) }));
    if (filtered) parts.push(_('{n} 条被过滤', { n: number(filtered) }));
    return parts.join(' · ');
  }

  /** What a retry does with the kept and the failed answers. @type {(kept: number, failed: number) => string} */
  function retryExplanation(kept, failed) {
    if (!kept) return _('会重新询问全部 {failed} 条。', { failed: number(failed) });
    return _('已有的 {kept} 条回答会原样沿用，只重新询问失败的 {failed} 条。', { kept: number(kept), failed: number(failed) });
  }

  /** @type {(seconds: number, percentDone: number) => string} */
  function timeLeft(seconds, percentDone) {
    if (seconds > 1) return _('还需约 {time}', { time: roundedDuration(seconds) });
    return percentDone >= NEARLY_DONE_PERCENT ? _('即将完成') : _('还需要一会儿');
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
      polling: _('轮询'),
      suspended: _('已暂停'),
      offline: _('离线'),
      reconnecting: _('重连中'),
    };
    const id = state === 'connecting' && wasConnected ? 'reconnecting' : state;
    return known[id] ? { id, label: known[id] } : { id: '', label: '' };
  }

  const sentimentLabels = () => ({ positive: _('正面'), neutral: _('中性'), negative: _('负面'), unclear: _('不明确') });

  return { headline, coverage, retryExplanation, timeLeft, connectionStatus, sentimentLabels };
});
