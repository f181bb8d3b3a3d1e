/**
 * Marks questions that name a brand while they are typed. The server decides, exactly as it will for the report; where a name
 * may be an ordinary word, it asks the user.
 */
'use strict';

const drafts = require('./draft');
const { joinNames, number } = require('../../presentation/format');
const { _ } = require('../../presentation/i18n');

const CHECK_DELAY_MS = 600;
const MAX_QUESTION = 500;

/** @param {any} checked */
function getRemark(checked) {
  if (!checked || checked.kind !== 'recognition') return '';
  return _('这个问题写了{names}，会单独计为“认知”，不计入提及率。', { names: joinNames(checked.named) });
}

module.exports = {
  /** Check when the user stops typing. */
  checkQuestionsLater() {
    clearTimeout(this.checkTimer);
    this.checkTimer = setTimeout(() => this.checkQuestions(), CHECK_DELAY_MS);
  },

  checkQuestions() {
    const { body: { brand, aliases, competitors, questions } } = drafts.buildRequest(this.readForm());
    const asked = { brand, aliases, competitors: competitors.filter(({ name }) => name), questions };
    const key = JSON.stringify(asked);
    if (key === this.checkedForm) return;
    this.checkedForm = key;
    if (!questions.length || questions.some((text) => text.length > MAX_QUESTION)) {
      this.showChecked([], []);
      return;
    }
    // The next change checks again; the report is right in any case.
    getApp().api.checkQuestions(asked).then((checked) => {
      if (this.checkedForm === key) this.showChecked(questions, checked);
    }, () => { if (this.checkedForm === key) this.checkedForm = ''; });
  },

  /** @type {(questions: string[], checked: any[]) => void} */
  showChecked(questions, checked) {
    this.checked = new Map(questions.map((text, index) => [text, checked[index]]));
    this.showRemarks();
  },

  /** The remarks and choices by the key of the question's row. */
  showRemarks() {
    /** @type {{[key: string]: string}} */
    const remarks = {};
    /** @type {{[key: string]: any}} */
    const choices = {};
    this.form.questions.forEach(({ key, text }) => {
      const checked = this.checked.get(text.trim());
      if (text.trim().length > MAX_QUESTION) remarks[key] = _('问题最长 {max} 字，现在 {n} 字。', { max: MAX_QUESTION, n: number(text.trim().length) });
      else if (getRemark(checked)) remarks[key] = getRemark(checked);
      if (checked && checked.uncertain.length) {
        choices[key] = {
          text: _('“{names}”也是普通的词。这个问题问的是这个品牌（会单独计为“认知”）', { names: joinNames(checked.uncertain) }),
          isChecked: this.aboutBrand.has(text.trim()),
        };
      }
    });
    this.view.update({ remarks, choices, recognitionNote: this.describeRecognition() });
  },

  toggleAboutBrand({ currentTarget: { dataset: { index } } }) {
    const text = this.form.questions[index].text.trim();
    if (!this.aboutBrand.delete(text)) this.aboutBrand.add(text);
    this.showRemarks();
  },

  /** @param {string} text */
  isAboutBrand(text) {
    const checked = this.checked.get(text);
    return Boolean(checked) && (checked.kind === 'recognition' || (checked.uncertain.length > 0 && this.aboutBrand.has(text)));
  },

  describeRecognition() {
    const texts = Array.from(this.checked.keys());
    const count = texts.filter((text) => this.isAboutBrand(text)).length;
    if (!count) return '';
    if (count === texts.length) return _('每个问题都写了品牌名，测不出提及率。');
    return _('{n} 个问题写了品牌名，会单独计为“认知”。', { n: number(count) });
  },

  /** The indices of the sent questions that the user says are about the brand. @param {string[]} questions */
  listQuestionsAboutBrand(questions) {
    return questions.map((text, index) => (this.aboutBrand.has(text) && this.isAboutBrand(text) ? index : -1)).filter((index) => index >= 0);
  },
};
