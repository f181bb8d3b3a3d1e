/** The competitors of the form, and the suggestion of those that the user compared the brand with before. */
'use strict';

const { toInputs, withKey } = require('./rows');

const MAX_COMPETITORS = 10;
const MAX_SUGGESTIONS = 6;

module.exports = {
  onCompetitorInput({ currentTarget: { dataset: { index, key, part } }, detail: { value } }) {
    const row = this.form.competitors[index];
    if (!row || row.key !== key) return; // removed, but not yet from the screen
    row[part] = value;
    this.clearError(`competitor${index}`);
    this.handleChange();
  },

  addCompetitor() {
    if (this.form.competitors.length >= MAX_COMPETITORS) return;
    this.form.competitors.push(withKey({ name: '', aliases: '' }));
    this.showCompetitors();
  },

  removeCompetitor({ currentTarget: { dataset: { index } } }) {
    this.form.competitors.splice(index, 1);
    this.showCompetitors();
  },

  showCompetitors() {
    this.view.update({ competitors: toInputs(this.form.competitors), errors: {} });
    this.showSuggestions();
    this.handleChange();
  },

  /** Fill the first empty row, or a new one. @param {{name: string, aliases: string}} competitor */
  insertCompetitor(competitor) {
    const { competitors } = this.form;
    const empty = competitors.findIndex(({ name, aliases }) => !name.trim() && !aliases.trim());
    if (empty >= 0) competitors.splice(empty, 1, withKey(competitor));
    else if (competitors.length < MAX_COMPETITORS) competitors.push(withKey(competitor));
    this.showCompetitors();
  },

  loadSuggestions() {
    const brand = this.form.brand.trim();
    if (!brand || brand === this.suggestionsBrand) return;
    this.suggestionsBrand = brand;
    // A failure is not shown: the user has not asked for suggestions.
    getApp().api.suggestCompetitors(brand).then(({ competitors }) => {
      if (this.suggestionsBrand !== brand) return;
      this.suggestions = competitors;
      this.showSuggestions();
    }, () => { this.suggestionsBrand = ''; });
  },

  showSuggestions() {
    const entered = this.form.competitors.map(({ name }) => name.trim());
    const suggestions = (this.suggestions || []).filter(({ name }) => !entered.includes(name));
    this.view.update({ suggestions: suggestions.slice(0, MAX_SUGGESTIONS) });
  },

  addSuggestion({ currentTarget: { dataset: { index } } }) {
    const { name, aliases } = this.data.suggestions[index];
    this.insertCompetitor({ name, aliases: aliases.join('、') });
  },
};
