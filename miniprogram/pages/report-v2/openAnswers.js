/** Opening single answers on the page of a diagnosis, and correcting the brand mentions in them. */
'use strict';

const { dateTime } = require('../../presentation/dates');
const { duration } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { splitAtMentions } = require('./mentions');
const TEXTS = require('./texts');

module.exports = {
  toggleAnswer({ currentTarget: { dataset: { index } } }) {
    if (!this.data.results[index]) return;
    const known = this.data.details[`a${index}`];
    if (known && !known.hasFailed) this.view.update({ [`details.a${index}.isOpen`]: !known.isOpen });
    else this.openAnswer(index);
  },

  /** @param {number} index */
  openAnswer(index) {
    const path = `details.a${index}`;
    const known = this.data.details[`a${index}`];
    this.openGroup(Math.floor(index / this.answers.slots.length));
    // An open answer stays visible until its new content is loaded.
    if (!known || known.hasFailed) this.view.update({ [path]: { isOpen: true, isLoading: true } });
    return this.answers.load(index).then((answer) => this.view.update({ [path]: this.buildDetail(answer) }), (error) => {
      const { title, suggestion } = getApp().errors.present(error);
      this.view.update({ [path]: { isOpen: true, hasFailed: true, title, suggestion } });
    });
  },

  /** Show the answers to a question whose group is closed. @param {number} q */
  openGroup(q) {
    if (this.data.hasGroups && !this.data.openGroups[q]) this.view.update({ [`openGroups.${q}`]: true });
  },

  toggleGroup({ currentTarget: { dataset: { q } } }) {
    if (this.data.hasGroups) this.view.update({ [`openGroups.${q}`]: !this.data.openGroups[q] });
  },

  buildDetail(answer) {
    if (!answer || answer.state === 'pending') return { isOpen: true, hasFailed: true, title: _('回答正在入库，请稍后再打开。') };
    if (answer.state === 'valid') {
      const source = [
        answer.model,
        answer.ms ? duration(answer.ms / 1000) : '',
        answer.answered_at ? dateTime(answer.answered_at) : '',
        answer.truncated ? _(TEXTS.truncated) : '',
        answer.without_search ? _(TEXTS.withoutSearch) : '',
        answer.carried_over ? _(TEXTS.carriedOver) : '',
      ];
      return { isOpen: true, spans: splitAtMentions(answer.text, answer.mentions, this.diagnosis.brand), source: source.filter(Boolean).join(' · ') };
    }
    const { title, message, suggestion } = getApp().errors.present(answer.error || { code: answer.code });
    return { isOpen: true, title, message, suggestion };
  },

  /** @param {number} index */
  showAnswer(index) {
    if (this.data.platform) this.showPlatform('');
    return this.openAnswer(index).then(() => this.scrollTo(`#a${index}`));
  },

  /** Open the answer behind a cell, a quote or a source; its id counts if it is known. */
  openSourceAnswer({ currentTarget: { dataset: { question, platform, answer } } }) {
    const { index } = this.answers.findById(answer);
    const found = index >= 0 ? index : this.answers.findIndex(question, platform);
    if (found !== undefined) this.showAnswer(found);
  },

  /** Open the first answer with a mention that the user has to confirm. */
  revealUncertain({ currentTarget: { dataset: { name } } }) {
    const index = this.answers.findUncertain(name);
    if (index >= 0) this.showAnswer(index);
  },

  openQuestion({ currentTarget: { dataset: { q } } }) {
    this.openGroup(q);
    this.scrollTo(`#q${q}`);
  },

  /** Scroll once the view has followed the changes so far. @param {string} selector */
  scrollTo(selector) {
    this.view.afterUpdate(() => wx.pageScrollTo({ selector, offsetTop: -8, duration: 200, fail() {} }));
  },

  /** @param {any} event */
  reportAnswer({ currentTarget: { dataset: { index } } }) {
    this.answers.load(index).then(
      ({ id }) => wx.navigateTo({ url: `/packages/account/feedback/feedback?answer=${id}` }),
      (error) => this.selectComponent('#errors').show(error, { display: 'toast' }),
    );
  },

  /** Ask whether a marked text means the brand or is an ordinary word. */
  askAboutMention({ currentTarget: { dataset: { index, mention } } }) {
    if (mention === undefined || !this.report) return;
    this.answers.load(index).then((answer) => {
      const { brand, start, end } = answer.mentions[mention];
      const kinds = ['confirm', 'reject'];
      wx.showActionSheet({
        itemList: [_('是“{brand}”', { brand }), _('不是“{brand}”', { brand })],
        success: ({ tapIndex }) => this.change((api) => api.correct(this.id, { kind: kinds[tapIndex], answer: answer.id, brand, start, end })),
      });
    });
  },

  /** Load all answers again after a correction, and show the open ones with their new marks. */
  reloadAnswers() {
    return this.answers.loadAll().then((changes) => {
      const open = Object.keys(this.data.details).filter((key) => this.data.details[key].isOpen);
      return Promise.all(open.map((key) => this.answers.load(Number(key.slice(1))).then((answer) => { changes[`details.${key}`] = this.buildDetail(answer); })))
        .then(() => changes);
    });
  },
};
