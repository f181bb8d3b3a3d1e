/** Feedback, complaints, and reports of the answer `?answer=`; the user's entries with the operators' replies. */
'use strict';

const { dateTime } = require('../../../presentation/dates');
const { _, addTranslations, translateAll } = require('../../../presentation/i18n');
const { createViewUpdates } = require('../../../presentation/viewUpdates');

addTranslations(require('../english'));

const TEXTS = {
  kind: '类型',
  reason: '举报理由',
  text: '内容',
  contact: '联系方式（可不填）',
  send: '提交',
  sent: '我提交的',
  none: '还没有提交过。',
  reading: '正在读取…',
};
const KINDS = () => ({ feedback: _('意见与问题'), complaint: _('投诉与申诉'), answer: _('举报回答') });
const REASONS = () => ({ illegal: _('违法违规'), false: _('不实信息'), rights: _('侵犯权益'), other: _('其他') });

/** @param {{[id: string]: string}} names */
const toOptions = (names) => Object.keys(names).map((id) => ({ id, name: names[id] }));

/** @param {any} entry */
const toItem = (entry) => ({
  id: entry.id,
  title: KINDS()[entry.kind],
  facts: `${dateTime(entry.created_at)} · ${entry.handled_at ? _('已处理') : _('待处理')}`,
  text: entry.text,
  reply: entry.reply ? _('处理结果：{reply}', { reply: entry.reply }) : '',
});

Page({
  data: {
    t: TEXTS, kinds: [], reasons: [], kind: 'feedback', reason: 'illegal', initialText: '', error: '', promise: '', items: [], isLoaded: false, isBusy: false,
  },

  onLoad({ answer }) {
    this.view = createViewUpdates(this);
    this.answer = answer;
    this.text = '';
    this.contact = '';
    const kinds = toOptions(KINDS()).filter(({ id }) => id !== 'answer' || answer);
    this.view.update({ t: translateAll(TEXTS), kinds, reasons: toOptions(REASONS()), kind: answer ? 'answer' : 'feedback' });
    wx.setNavigationBarTitle({ title: _('反馈与投诉') });
    this.load();
  },

  onShow() {
    this.view.resume();
  },

  onHide() {
    this.view.pause();
  },

  onUnload() {
    this.view.pause();
  },

  load() {
    return getApp().api.get('/api/feedback').then(({ items, reply_days: n, contact }) => {
      const promise = _('我们在 {n} 个工作日内处理，结果显示在下方。', { n });
      this.view.update({ promise: contact ? `${promise} ${_('也可以联系 {contact}。', { contact })}` : promise, items: items.map(toItem), isLoaded: true });
    }, (error) => this.selectComponent('#errors').show(error, { actions: { retry: () => this.load() } }));
  },

  selectKind({ currentTarget: { dataset: { id } } }) {
    this.view.update({ kind: id });
  },

  selectReason({ currentTarget: { dataset: { id } } }) {
    this.view.update({ reason: id });
  },

  /** The inputs are not controlled: writing a value back while the user types loses characters. */
  typeText({ detail: { value } }) {
    this.text = value;
    if (this.data.error) this.view.update({ error: '' });
  },

  typeContact({ detail: { value } }) {
    this.contact = value;
  },

  send() {
    if (!this.text.trim()) {
      this.view.update({ error: _('请填写内容。') });
      return;
    }
    const { kind, reason } = this.data;
    const body = Object.assign({ kind, text: this.text, contact: this.contact }, kind === 'answer' ? { answer: this.answer, reason } : {});
    // Only a changed value empties the field afterwards.
    this.view.update({ isBusy: true, initialText: this.text });
    getApp().api.send('POST', '/api/feedback', body).then(() => {
      this.text = '';
      this.view.update({ isBusy: false, initialText: '' });
      wx.showToast({ title: _('已提交。'), icon: 'none' });
      return this.load();
    }, (error) => {
      this.view.update({ isBusy: false });
      const { fields } = getApp().errors.present(error);
      if (fields.text) this.view.update({ error: fields.text });
      else this.selectComponent('#errors').show(error, { actions: { retry: () => this.send() } });
    });
  },
});
