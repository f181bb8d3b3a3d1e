/** The questions of the form, and the sheet of question templates. */
'use strict';

const { _ } = require('../../presentation/i18n');
const { CATEGORIES } = require('../../presentation/questionTemplates');
const { toInputs, withKey } = require('./rows');
const TEXTS = require('./texts');

const MAX_QUESTIONS = 20;

module.exports = {
  /** Several lines at once, as from a paste, become one question each. */
  onQuestionInput({ currentTarget: { dataset: { index, key } }, detail: { value } }) {
    const row = this.form.questions[index];
    if (!row || row.key !== key) return; // removed, but not yet from the screen
    const lines = value.split(/\r?\n/);
    row.text = lines[0];
    this.clearError(`question${index}`);
    if (lines.length > 1) this.insertLines(index, lines.slice(1).map((/** @type {string} */ line) => line.trim()).filter(Boolean));
    this.handleChange();
  },

  /** Insert lines below a question; without lines the user has pressed Enter. @type {(index: number, lines: string[]) => void} */
  insertLines(index, lines) {
    // A new key redraws the row without the line break that was typed into it.
    this.form.questions[index] = withKey({ text: this.form.questions[index].text });
    const isEnterInLastRow = !lines.length && index + 1 >= this.form.questions.length;
    const rows = (isEnterInLastRow ? [''] : lines).map((text) => withKey({ text }));
    this.removeEmptyQuestions(index, this.form.questions.length + rows.length - MAX_QUESTIONS);
    const free = MAX_QUESTIONS - this.form.questions.length;
    this.form.questions.splice(index + 1, 0, ...rows.slice(0, free));
    this.showQuestions(index + 1);
    const omitted = lines.length - free;
    if (omitted > 0) this.view.update({ omittedNote: _('最多 {max} 个问题，还有 {n} 行没有加入。', { max: MAX_QUESTIONS, n: omitted }) });
  },

  /** Remove up to `count` empty questions below an index, to make room. @type {(index: number, count: number) => void} */
  removeEmptyQuestions(index, count) {
    let removed = 0;
    this.form.questions = this.form.questions.filter(({ text }, position) => {
      const isRemoved = position > index && !text.trim() && removed < count;
      if (isRemoved) removed += 1;
      return !isRemoved;
    });
  },

  addQuestion() {
    if (this.form.questions.length >= MAX_QUESTIONS) return;
    this.form.questions.push(withKey({ text: '' }));
    this.showQuestions(this.form.questions.length - 1);
  },

  removeQuestion({ currentTarget: { dataset: { index } } }) {
    this.form.questions.splice(index, 1);
    this.showQuestions();
  },

  /** @param {number} [focusIndex] */
  showQuestions(focusIndex = -1) {
    const row = this.form.questions[focusIndex];
    this.view.update({ questions: toInputs(this.form.questions), errors: {}, omittedNote: '', focus: row ? row.key : '' });
    this.showRemarks();
    this.handleChange();
  },

  openTemplates() {
    this.product = this.product || '';
    this.category = this.category || CATEGORIES[0].id;
    this.view.update({ productInput: withKey({ value: this.product }) });
    this.showTemplates();
  },

  closeTemplates() {
    this.view.update({ templateSheet: null });
  },

  showTemplates() {
    const category = CATEGORIES.find(({ id }) => id === this.category) || CATEGORIES[0];
    const product = this.product.trim() || category.example;
    const entered = this.form.questions.map(({ text }) => text.trim());
    const questions = category.questions.map((text) => text.replace('{product}', () => product));
    this.view.update({
      templateSheet: {
        productHint: _(TEXTS.productHint, { example: category.example }),
        category: category.id,
        categories: CATEGORIES.map(({ id, name }) => ({ id, name: _(name) })),
        questions: questions.map((text) => ({ text, isSelected: entered.includes(text) })),
      },
    });
  },

  onProductInput({ detail: { value } }) {
    this.product = value;
    this.showTemplates();
  },

  selectCategory({ currentTarget: { dataset: { id } } }) {
    this.category = id;
    this.showTemplates();
  },

  toggleTemplate({ currentTarget: { dataset: { text } } }) {
    const { questions } = this.form;
    const selected = questions.findIndex((row) => row.text.trim() === text);
    const empty = questions.findIndex((row) => !row.text.trim());
    if (selected >= 0) questions.splice(selected, 1, withKey({ text: '' }));
    else if (empty >= 0) questions.splice(empty, 1, withKey({ text }));
    else if (questions.length < MAX_QUESTIONS) questions.push(withKey({ text }));
    this.showQuestions();
    this.showTemplates();
  },
};
