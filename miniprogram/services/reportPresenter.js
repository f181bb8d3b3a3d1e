/** Turns the events of a running diagnosis into what a page shows, and into the smallest changes of it. */
(function (/** @type {any} */ root, /** @type {() => any} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.reportPresenter = factory();
  }
})(this, function () {
  'use strict';

  const NOTICE_LIMIT = 10;
  /** @type {Array<keyof Diag.View>} */
  const WHOLE = ['stage', 'percent', 'done', 'planned', 'etaSeconds', 'notices', 'status', 'problem'];
  /** @type {Array<keyof Diag.Counts>} */
  const STATES = ['valid', 'failed', 'filtered'];
  // Only these have gone all the way: a cancelled run keeps the percentage that it reached.
  const FINISHED = ['completed', 'partial'];

  /** @returns {Diag.View} */
  function emptyView() {
    return {
      stage: 'queued',
      percent: 0,
      done: 0,
      planned: 0,
      etaSeconds: null,
      counts: { valid: 0, failed: 0, filtered: 0 },
      answers: {},
      notices: [],
      status: null,
      problem: null,
    };
  }

  /** @type {(value: any, otherwise: number) => number} */
  const numberOr = (value, otherwise) => (Number.isFinite(value) ? value : otherwise);
  /** setData refuses undefined. @param {any} value */
  const orNull = (value) => (value === undefined ? null : value);
  /** @type {(one: any, other: any) => boolean} */
  const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  /** @param {Diag.Counts} counts */
  const sum = (counts) => counts.valid + counts.failed + counts.filtered;
  /** @type {(view: Diag.View, change: Partial<Diag.View>) => Diag.View} */
  const withChange = (view, change) => Object.assign({}, view, change);

  /** @type {{[kind: string]: (view: Diag.View, data: any) => Diag.View}} */
  const reducers = {
    progress: (view, data) => withChange(view, {
      stage: data.stage || view.stage,
      percent: Math.max(view.percent, Math.min(100, numberOr(data.percent, 0))),
      done: Math.max(view.done, numberOr(data.done, 0)),
      planned: numberOr(data.planned, view.planned),
      etaSeconds: orNull(data.eta_s),
    }),

    result(view, data) {
      const old = view.answers[data.answer];
      const answer = {
        question: orNull(data.question),
        platform: orNull(data.platform),
        repeat: orNull(data.repeat),
        state: orNull(data.state),
        mentioned: data.mentioned || [],
        ms: orNull(data.ms),
        code: orNull(data.code),
      };
      if (!data.answer || isSame(old, answer)) return view;
      const counts = recount(view.counts, old, answer);
      return withChange(view, {
        counts,
        done: Math.max(view.done, sum(counts)),
        answers: Object.assign({}, view.answers, { [data.answer]: answer }),
      });
    },

    /** One notice per platform and code: a platform that pauses five times is told once, with the newest words. */
    error(view, data) {
      const { notices } = view;
      if (isSame(notices[notices.length - 1], data)) return view;
      const others = notices.filter((notice) => notice.platform !== data.platform || notice.code !== data.code);
      return withChange(view, { notices: others.concat([data]).slice(-NOTICE_LIMIT) });
    },

    complete(view, data) {
      const counts = Object.assign({}, view.counts);
      STATES.forEach((state) => { counts[state] = numberOr(data[state], counts[state]); });
      return withChange(view, {
        status: orNull(data.status),
        counts,
        percent: FINISHED.includes(data.status) ? 100 : view.percent,
        done: Math.max(view.done, sum(counts)),
        etaSeconds: null,
        problem: orNull(data.problem),
      });
    },
  };

  /**
   * An answer that is reported again, with another outcome, counts once.
   * @type {(counts: Diag.Counts, old: Diag.AnswerView | undefined, answer: Diag.AnswerView) => Diag.Counts}
   */
  function recount(counts, old, answer) {
    const next = Object.assign({}, counts);
    STATES.forEach((state) => {
      if (old && old.state === state) next[state] -= 1;
      if (answer.state === state) next[state] += 1;
    });
    return next;
  }

  /** @type {(view: Diag.View, event: Diag.StreamEvent) => Diag.View} */
  function reduce(view, [, kind, data]) {
    const isKnown = Object.prototype.hasOwnProperty.call(reducers, kind);
    return isKnown && data ? reducers[kind](view, data) : view;
  }

  /**
   * @type {(before: Diag.View, after: Diag.View) => {[path: string]: any}}
   */
  function changesBetween(before, after) {
    /** @type {{[path: string]: any}} */
    const changes = {};
    WHOLE.forEach((key) => {
      if (before[key] !== after[key]) changes[key] = after[key];
    });
    STATES.forEach((state) => {
      if (before.counts[state] !== after.counts[state]) changes[`counts.${state}`] = after.counts[state];
    });
    Object.keys(after.answers).forEach((id) => {
      if (before.answers[id] !== after.answers[id]) changes[`answers.${id}`] = after.answers[id];
    });
    return changes;
  }

  /** @returns {Diag.Presenter} */
  function createPresenter() {
    let view = emptyView();
    return {
      apply(events) {
        const before = view;
        view = events.reduce(reduce, view);
        return changesBetween(before, view);
      },
      view: () => view,
    };
  }

  return { createPresenter };
});
