/** The form of a new diagnosis. */
'use strict';

const { confirm } = require('../../presentation/confirm');
const drafts = require('./draft');
const { _, addTranslations, language, translateAll } = require('../../presentation/i18n');
const { MAX_PLATFORMS, describeEstimate, describePlatform, describeSelection, selectPlatforms } = require('../../presentation/platforms');
const { createViewUpdates } = require('../../presentation/viewUpdates');
const competitorMethods = require('./competitors');
const questionMethods = require('./questions');
const recognitionMethods = require('./recognition');
const { toInputs, withKey } = require('./rows');
const submissionMethods = require('./submission');
const TEXTS = require('./texts');

addTranslations(require('./english'));

const SAMPLE_PLATFORMS = 2;
const SAVE_DELAY_MS = 400;
const PLATFORMS_FRESH_MS = 60000;
/** The fields of the own brand: the names of their texts, and the longest input. */
const BRAND_FIELDS = [
  { name: 'brand', label: 'brandName', placeholder: 'brandHint', hint: '', max: 100 },
  { name: 'aliases', label: 'aliases', placeholder: '', hint: 'aliasesHint', max: 1000, isOptional: true },
  { name: 'sites', label: 'sites', placeholder: '', hint: 'sitesHint', max: 500, isOptional: true },
];

/** @type {any} */
const page = {
  data: {
    t: TEXTS,
    fields: [],
    competitors: [],
    questions: [],
    remarks: {},
    choices: {},
    recognitionNote: '',
    omittedNote: '',
    platforms: [],
    platformWarnings: [],
    platformState: 'loading',
    showsHealthyNote: false,
    repeats: 1,
    repeatChoices: [1, 2, 3, 4, 5],
    errors: {},
    suggestions: [],
    estimate: { calls: '0', breakdown: '', duration: '–', cost: '–' },
    isBusy: false,
    isSlow: false,
    templateSheet: null,
    productInput: null,
  },

  onLoad(query) {
    this.view = createViewUpdates(this);
    this.platforms = [];
    this.checked = new Map();
    this.aboutBrand = new Set(); // texts of questions that are about the brand, as the user says
    this.language = language();
    this.fillForm(drafts.loadDraft() || drafts.emptyDraft());
    const allHealthy = query.platforms === 'healthy';
    this.loadPlatforms({ allHealthy });
    // A copy brings its own platforms.
    if (query.from) this.copyDiagnosis(query.from).then(() => allHealthy && this.selectHealthyPlatforms());
  },

  onShow() {
    this.view.resume();
    this.view.update({ t: translateAll(TEXTS) });
    wx.setNavigationBarTitle({ title: _('AI 可见度诊断') });
    this.refreshPlatforms();
  },

  onHide() {
    this.saveDraft();
    this.view.pause();
  },

  onUnload() {
    this.saveDraft();
    [this.saveTimer, this.checkTimer, this.slowTimer].forEach(clearTimeout);
    this.view.pause();
  },

  onShareTimeline: () => ({ title: _('AI 会推荐您的品牌吗？') }),

  onShareAppMessage: () => ({ title: _('AI 会推荐您的品牌吗？'), path: '/pages/index/index' }),

  // ---- The form

  /** @param {any} draft */
  fillForm(draft) {
    const { brand, aliases, sites = '', competitors, questions, platforms, repeats } = draft;
    this.form = {
      brand,
      aliases,
      sites,
      competitors: competitors.map(withKey),
      questions: (questions.length ? questions : ['']).map((/** @type {string} */ text) => withKey({ text })),
      platforms: platforms.slice(),
      repeats,
    };
    this.view.update({
      repeats,
      errors: {},
      omittedNote: '',
      fields: BRAND_FIELDS.map((field) => Object.assign({ key: withKey({}).key, value: this.form[field.name] }, field)),
      competitors: toInputs(this.form.competitors),
      questions: toInputs(this.form.questions),
    });
    this.showRemarks();
    this.showPlatforms();
    this.handleChange();
  },

  /** The form as a draft. */
  readForm() {
    const { brand, aliases, sites, competitors, questions, platforms, repeats } = this.form;
    return {
      brand,
      aliases,
      sites,
      competitors: competitors.map((row) => ({ name: row.name, aliases: row.aliases })),
      questions: questions.map(({ text }) => text),
      platforms,
      repeats,
    };
  },

  saveDraft() {
    if (this.form) drafts.saveDraft(this.readForm());
  },

  /** Update the estimate at once; save the draft and check the questions when the user stops typing. */
  handleChange() {
    const questions = this.form.questions.filter(({ text }) => text.trim()).length;
    const platforms = this.selectedPlatforms();
    const { warnings, error } = describeSelection(platforms);
    this.view.update({
      estimate: describeEstimate(platforms, questions, this.form.repeats),
      platformWarnings: error ? warnings.concat(error) : warnings,
    });
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => {
      this.saveDraft();
      this.showRemarks();
    }, SAVE_DELAY_MS);
    this.checkQuestionsLater();
  },

  selectedPlatforms() {
    return this.platforms.filter(({ id }) => this.form.platforms.includes(id));
  },

  onInput({ currentTarget: { dataset: { name } }, detail: { value } }) {
    this.form[name] = value;
    this.clearError(name);
    this.handleChange();
  },

  onBlur({ currentTarget: { dataset: { name } } }) {
    if (name === 'brand') this.loadSuggestions();
  },

  selectRepeats({ currentTarget: { dataset: { count } } }) {
    this.form.repeats = count;
    this.view.update({ repeats: count });
    this.handleChange();
  },

  fillSample() {
    const question = { title: _('换成示例？'), content: _('您已填写的内容会被替换。'), yes: _('替换'), no: _('不替换') };
    this.confirmReplacement(question).then((isConfirmed) => isConfirmed && this.applySample());
  },

  /** Ask before the texts of the form are replaced; an empty form is not worth a question. */
  confirmReplacement(question) {
    return drafts.hasTexts(this.readForm()) ? confirm(question) : Promise.resolve(true);
  },

  applySample() {
    this.fillForm(drafts.sampleDraft());
    // The texts appear at once, even while the platforms are still loading.
    this.platformsLoaded.then(() => {
      const healthy = this.platforms.filter((platform) => platform.healthy);
      const demo = healthy.filter((platform) => platform.demo).slice(0, SAMPLE_PLATFORMS);
      this.form.platforms = (demo.length ? demo : healthy.slice(0, 1)).map(({ id }) => id);
      this.showPlatforms();
      this.handleChange();
    });
  },

  /** Keep a tap or a scroll on the sheet from reaching what is below. */
  noop() {},

  // ---- Platforms

  /** @param {{allHealthy?: boolean}} [options] */
  loadPlatforms({ allHealthy = false } = {}) {
    this.view.update({ platformState: 'loading' });
    this.platformsLoadedAt = Date.now();
    this.platformsLoaded = getApp().api.listPlatforms().then((platforms) => {
      this.platforms = platforms;
      this.form.platforms = selectPlatforms(platforms, { preferred: this.form.platforms, allHealthy });
      this.showPlatforms();
      this.view.update({
        platformState: platforms.length ? 'ready' : 'empty',
        showsHealthyNote: allHealthy && this.form.platforms.length > 0,
      });
      this.selectComponent('#platforms-problem').hide();
      this.handleChange();
    }, (error) => {
      this.platformsLoadedAt = 0;
      this.view.update({ platformState: 'failed' });
      const actions = { retry: () => this.loadPlatforms({ allHealthy }) };
      this.selectComponent('#platforms-problem').show(error, { display: 'inline', actions });
    });
    return this.platformsLoaded;
  },

  /** Platforms pause and recover, and their words are in the language of the request. */
  refreshPlatforms() {
    const isFresh = Date.now() - this.platformsLoadedAt < PLATFORMS_FRESH_MS;
    if (isFresh && this.language === language()) return;
    this.language = language();
    this.checkedForm = '';
    this.handleChange();
    this.loadPlatforms();
  },

  showPlatforms() {
    const cards = this.platforms.map((platform) => {
      const { id, name, model, demo, healthy } = platform;
      return Object.assign({ id, name, model, demo, healthy, isSelected: this.form.platforms.includes(id) }, describePlatform(platform));
    });
    if (cards.length) this.view.update({ platforms: cards });
  },

  togglePlatform({ currentTarget: { dataset: { id } } }) {
    const { platforms } = this.form;
    if (platforms.includes(id)) this.form.platforms = platforms.filter((other) => other !== id);
    else if (platforms.length < MAX_PLATFORMS) this.form.platforms = platforms.concat(id);
    this.clearError('platforms');
    this.showPlatforms();
    this.handleChange();
  },

  /** For the error dialog, too. */
  selectHealthyPlatforms() {
    this.loadPlatforms({ allHealthy: true });
  },

  /** @param {string} id */
  copyDiagnosis(id) {
    const question = { title: _('换成这次诊断的内容？'), content: _('您已填写的内容会被替换。'), yes: _('替换'), no: _('不替换') };
    return Promise.all([getApp().api.getDiagnosis(id), this.confirmReplacement(question)]).then(
      ([diagnosis, isConfirmed]) => isConfirmed && this.fillForm(drafts.draftFromDiagnosis(diagnosis)),
      (error) => this.selectComponent('#errors').show(error, { display: 'toast' }),
    );
  },
};

Page(Object.assign(page, competitorMethods, questionMethods, recognitionMethods, submissionMethods));
