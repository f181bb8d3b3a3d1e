/** Opening single answers on the page of a diagnosis, and correcting the brand mentions in them. */
'use strict';

const { dateTime } = require('../../presentation/dates');
const { duration } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');
const { splitAtMentions } = require('./mentions');

const REPORT_POLL_MS = 500;
const MAX_REPORT_POLLS = 120;

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
    // An open answer stays visible until its new content is loaded.
    if (!known || known.hasFailed) this.view.update({ [path]: { isOpen: true, isLoading: true } });
    return this.answers.load(index).then((answer) => this.view.update({ [path]: this.buildDetail(answer) }), (error) => {
      const { title, suggestion } = getApp().errors.present(error);
      this.view.update({ [path]: { isOpen: true, hasFailed: true, title, suggestion } });
    });
  },

  buildDetail(answer) {
    if (!answer || answer.state === 'pending') return { isOpen: true, hasFailed: true, title: _('回答正在入库，请稍后再打开。') };
    if (answer.state === 'valid') {
      const source = [answer.model, answer.ms ? duration(answer.ms / 1000) : '', answer.answered_at ? dateTime(answer.answered_at) : ''];
      return { isOpen: true, spans: splitAtMentions(answer.text, answer.mentions, this.diagnosis.brand), source: source.filter(Boolean).join(' · ') };
    }
    const { title, message, suggestion } = getApp().errors.present(answer.error || { code: answer.code });
    return { isOpen: true, title, message, suggestion };
  },

  /** Open the answer behind a cell of the heat map or behind a quote. */
  openSourceAnswer({ currentTarget: { dataset: { question, platform, answer } } }) {
    const first = this.answers.findIndex(question, platform);
    if (first === undefined) return;
    if (this.data.platform && this.data.platform !== platform) this.showPlatform('');
    const open = () => {
      const index = this.answers.findIndex(question, platform, answer);
      return this.openAnswer(index).then(() => wx.pageScrollTo({ selector: `#a${index}`, offsetTop: -8, duration: 200 }));
    };
    this.answers.load(first).then(open, open); // ids are known only for loaded answers
  },

  /** Ask whether a marked text means the brand or is an ordinary word. */
  askAboutMention({ currentTarget: { dataset: { index, mention } } }) {
    if (mention === undefined || !this.report) return;
    this.answers.load(index).then((answer) => {
      const { brand, start, end } = answer.mentions[mention];
      const kinds = ['confirm', 'reject'];
      wx.showActionSheet({
        itemList: [_('是“{brand}”', { brand }), _('不是“{brand}”', { brand })],
        success: ({ tapIndex }) => this.correctMention(index, { kind: kinds[tapIndex], answer: answer.id, brand, start, end }),
      });
    });
  },

  /** Wait until the report includes the latest correction. @type {(polls?: number) => Promise<void>} */
  waitForReport(polls = MAX_REPORT_POLLS) {
    return getApp().api.getDiagnosis(this.id).then((diagnosis) => {
      if (!diagnosis.report_pending || !polls) return undefined;
      return new Promise((resolve) => { setTimeout(resolve, REPORT_POLL_MS); }).then(() => this.waitForReport(polls - 1));
    });
  },

  /** @type {(index: number, correction: any) => Promise<void>} */
  correctMention(index, correction) {
    const { api } = getApp();
    return api.correctMention(this.id, correction)
      .then(() => this.waitForReport())
      .then(() => Promise.all([api.getReport(this.id), this.answers.reload(index)]))
      .then(([report, changes]) => {
        this.view.update(changes);
        this.showReport(report);
        return this.openAnswer(index);
      })
      .catch((error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.correctMention(index, correction) } }));
  },
};
