/** Validation and submission of the form. */
'use strict';

const { TEMPLATE_ID } = require('../../config');
const drafts = require('./draft');
const { _ } = require('../../presentation/i18n');
const { describeSelection } = require('../../presentation/platforms');

// The diagnosis starts in any case; WeChat may never answer.
const MAX_NOTIFICATION_WAIT_MS = 8000;
const SLOW_AFTER_MS = 5000;
const MAX_QUESTION = 500;

module.exports = {
  start() {
    if (this.data.isBusy) return;
    this.selectComponent('#form-problem').hide();
    const { body, rows } = drafts.buildRequest(this.readForm());
    body.questions_about_brand = this.listQuestionsAboutBrand(body.questions);
    const fields = this.findMissingFields(body);
    if (Object.keys(fields).length) {
      this.showFieldErrors(fields, rows);
      return;
    }
    this.view.update({ errors: {}, isBusy: true });
    this.slowTimer = setTimeout(() => this.view.update({ isSlow: true }), SLOW_AFTER_MS);
    this.submit(body, rows, this.requestNotification());
  },

  /** Ask for permission to send one message when the diagnosis ends; WeChat allows this only in a tap. */
  requestNotification() {
    if (!TEMPLATE_ID || !wx.canIUse('requestSubscribeMessage')) return Promise.resolve();
    return new Promise((resolve) => {
      setTimeout(resolve, MAX_NOTIFICATION_WAIT_MS);
      wx.requestSubscribeMessage({ tmplIds: [TEMPLATE_ID], complete: resolve });
    });
  },

  /** The page changes once the user has answered the question about the message. @type {(body: any, rows: any, asked: Promise<any>) => Promise<void>} */
  submit(body, rows, asked) {
    const { api } = getApp();
    const end = () => {
      clearTimeout(this.slowTimer);
      this.view.update({ isBusy: false, isSlow: false });
    };
    return api.createDiagnosis(body, drafts.getSubmissionKey(body, api.createKey)).then((created) => asked.then(() => {
      drafts.clearDraft(body);
      this.fillForm(drafts.emptyDraft());
      end();
      wx.redirectTo({ url: `/pages/report-v2/report-v2?id=${created.id}` });
    }), (error) => {
      end();
      if (error.problem.code === 'CONSENT_REQUIRED') this.askForConsent(body, rows);
      else this.handleRejection(error, rows);
    });
  },

  /** Open the page of the consent, which then goes on with the submission. @type {(body: any, rows: any) => void} */
  askForConsent(body, rows) {
    getApp().continueAfterConsent = () => {
      this.view.update({ isBusy: true });
      this.submit(body, rows, Promise.resolve());
    };
    wx.navigateTo({ url: '/packages/account/consent/consent' });
  },

  /** @param {any} body */
  findMissingFields(body) {
    /** @type {{[path: string]: string}} */
    const fields = {};
    if (!body.brand) fields.brand = _('请填写品牌名。');
    body.competitors.forEach(({ name }, index) => {
      if (!name) fields[`competitors.${index}.name`] = _('请填写竞品名称，或删除这一行。');
    });
    body.questions.forEach((text, index) => {
      if (text.length > MAX_QUESTION) fields[`questions.${index}`] = _('问题最长 {max} 字，现在 {n} 字。', { max: MAX_QUESTION, n: text.length });
    });
    if (!body.questions.length) fields.questions = _('请至少填写一个问题。');
    const { error } = describeSelection(this.selectedPlatforms());
    if (!body.platforms.length) fields.platforms = _('请至少选择一个平台。');
    else if (error) fields.platforms = error;
    return fields;
  },

  /** @type {(error: any, rows: any) => void} */
  handleRejection(error, rows) {
    const { code, fields, display } = getApp().errors.present(error);
    if (code === 'CONFLICT') drafts.clearSubmissionKey();
    if (this.showFieldErrors(fields, rows)) return;
    // Never replace the page: the form must stay visible.
    const form = display === 'page' ? 'modal' : display;
    const dialog = this.selectComponent(form === 'inline' ? '#form-problem' : '#errors');
    dialog.show(error, { display: form, actions: { retry: () => this.start() } });
  },

  /** The field of the form that a path of the API refers to: `questions.2` is the third sent question. @type {(path: string, rows: any) => string} */
  getFieldName(path, rows) {
    const [name, index] = path.split('.');
    if (name === 'questions') return `question${rows.questions[Number(index)] || 0}`;
    if (name === 'competitors') return `competitor${rows.competitors[Number(index)] || 0}`;
    return ['brand', 'aliases', 'sites', 'platforms', 'repeats'].includes(name) ? name : '';
  },

  /** Show each error at its field and scroll to the first; false when no error belongs to a field. @type {(fields: any, rows: any) => boolean} */
  showFieldErrors(fields, rows) {
    /** @type {{[field: string]: string}} */
    const errors = {};
    Object.keys(fields).forEach((path) => {
      const field = this.getFieldName(path, rows);
      if (field) errors[field] = fields[path];
    });
    const competitors = this.form.competitors.map((row, index) => `competitor${index}`);
    const questions = this.form.questions.map((row, index) => `question${index}`);
    const first = ['brand', 'aliases', 'sites', ...competitors, ...questions, 'platforms', 'repeats'].find((field) => errors[field]);
    if (!first) return false;
    this.view.update({ errors });
    wx.pageScrollTo({ selector: `#field-${first}`, offsetTop: -72, duration: 200 });
    return true;
  },

  /** @param {string} field */
  clearError(field) {
    if (this.data.errors[field]) this.view.update({ [`errors.${field}`]: '' });
  },
};
