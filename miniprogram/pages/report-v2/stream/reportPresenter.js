/** Reduces the events of a running diagnosis to the view of a page, and reports the changed paths. */
(function (/** @type {any} */ root, /** @type {() => {createPresenter(): Diag.Presenter}} */ factory) {
  if (typeof module === 'object' && module.exports) module.exports = factory();
  else {
    root.diag = root.diag || {};
    root.diag.reportPresenter = factory();
  }
})(this, function () {
  'use strict';

  const MAX_NOTICES = 10;
  /** @type {Array<keyof Diag.View>} */
  const SCALAR_KEYS = ['stage', 'percent', 'done', 'planned', 'etaSeconds', 'notices', 'status', 'problem'];
  /** @type {Array<keyof Diag.Counts>} */
  const STATES = ['valid', 'failed', 'filtered'];
  // Only these end at 100 %: a cancelled run keeps its last percentage.
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

  /** @type {(value: any, fallback: number) => number} */
  const numberOr = (value, fallback) => (Number.isFinite(value) ? value : fallback);
  /** setData rejects undefined. @param {any} value */
  const orNull = (value) => (value === undefined ? null : value);
  /** @type {(one: any, other: any) => boolean} */
  const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  /** @param {Diag.Counts} counts */
  const sum = (counts) => counts.valid + counts.failed + counts.filtered;
  /** @type {(view: Diag.View, change: Partial<Diag.View>) => Diag.View} */
  const withChange = (view, change) => Object.assign({}, view, change);

  /** @type {{[kind in Diag.DiagnosisEventKind]: (view: Diag.View, data: any) => Diag.View}} */
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
      const counts = updateCounts(view.counts, old, answer);
      return withChange(view, {
        counts,
        done: Math.max(view.done, sum(counts)),
        answers: Object.assign({}, view.answers, { [data.answer]: answer }),
      });
    },

    /** One notice per platform and code; the newest replaces the one before. */
    error(view, data) {
      const { notices } = view;
      if (isSame(notices[notices.length - 1], data)) return view;
      const others = notices.filter((notice) => notice.platform !== data.platform || notice.code !== data.code);
      return withChange(view, { notices: others.concat([data]).slice(-MAX_NOTICES) });
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
   * Count an answer that is reported again with another state only once.
   * @type {(counts: Diag.Counts, old: Diag.AnswerView | undefined, answer: Diag.AnswerView) => Diag.Counts}
   */
  function updateCounts(counts, old, answer) {
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
    return isKnown && data ? reducers[/** @type {Diag.DiagnosisEventKind} */ (kind)](view, data) : view;
  }

  /**
   * @type {(before: Diag.View, after: Diag.View) => {[path: string]: any}}
   */
  function findChanges(before, after) {
    /** @type {{[path: string]: any}} */
    const changes = {};
    SCALAR_KEYS.forEach((key) => {
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
        return findChanges(before, view);
      },
      view: () => view,
    };
  }

  return { createPresenter };
});
