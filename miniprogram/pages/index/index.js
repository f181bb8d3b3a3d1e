/** The start page: the form of a new diagnosis, and the latest diagnoses. */
'use strict';

const { diagnosisItem } = require('../../presentation/diagnosisItem');
const drafts = require('../../presentation/draft');
const { _, translateAll } = require('../../presentation/i18n');
const { MAX_PLATFORMS, describeEstimate, describePlatform, describeSelection, selectPlatforms } = require('../../presentation/platforms');
const { createViewUpdates } = require('../../presentation/viewUpdates');
const competitorMethods = require('./competitors');
const questionMethods = require('./questions');
const { withKey } = require('./rows');
const submissionMethods = require('./submission');
const TEXTS = require('./texts');

const MAX_LATEST = 3;
const SAMPLE_PLATFORMS = 2;
const SAVE_DELAY_MS = 400;

/** @type {any} */
const page = {
  data: {
    t: TEXTS,
    brand: '',
    aliases: '',
    competitors: [],
    questions: [],
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
    latest: [],
    latestState: 'loading',
    templateSheet: null,
  },

  onLoad(query) {
    this.view = createViewUpdates(this);
    this.platforms = [];
    this.fillForm(drafts.loadDraft() || drafts.emptyDraft());
    this.loadPlatforms({ allHealthy: query.platforms === 'healthy' });
    if (query.from) this.copyDiagnosis(query.from);
  },

  onShow() {
    this.view.resume();
    this.view.update({ t: translateAll(TEXTS) });
    wx.setNavigationBarTitle({ title: _('AI 可见度诊断') });
    this.applyFormRequest();
    this.loadLatest();
  },

  onHide() {
    this.saveDraft();
    this.view.pause();
  },

  onUnload() {
    clearTimeout(this.saveTimer);
    this.view.pause();
  },

  onShareAppMessage: () => ({ title: _('AI 会推荐您的品牌吗？'), path: '/pages/index/index' }),

  // ---- The form

  /** @param {any} draft */
  fillForm(draft) {
    const { brand, aliases, competitors, questions, platforms, repeats } = draft;
    this.form = {
      brand,
      aliases,
      competitors: competitors.map(withKey),
      questions: (questions.length ? questions : ['']).map((/** @type {string} */ text) => withKey({ text })),
      platforms: platforms.slice(),
      repeats,
    };
    this.view.update({ brand, aliases, repeats, errors: {}, competitors: this.form.competitors, questions: this.describeQuestions() });
    this.showPlatforms();
    this.handleChange();
  },

  /** The form as a draft. */
  readForm() {
    const { brand, aliases, competitors, questions, platforms, repeats } = this.form;
    return {
      brand,
      aliases,
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
      this.view.update({ questions: this.describeQuestions() });
    }, SAVE_DELAY_MS);
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
    this.view.update({ [name]: this.form[name] });
    if (name === 'brand') this.loadSuggestions();
  },

  selectRepeats({ currentTarget: { dataset: { count } } }) {
    this.form.repeats = count;
    this.view.update({ repeats: count });
    this.handleChange();
  },

  fillSample() {
    const draft = this.readForm();
    const isEmpty = !draft.brand && draft.questions.every((text) => !text.trim());
    if (isEmpty) {
      this.applySample();
      return;
    }
    wx.showModal({
      title: _('换成示例？'),
      content: _('您已填写的内容会被替换。'),
      confirmText: _('换成示例'),
      cancelText: _('保留我填的'),
      success: ({ confirm }) => confirm && this.applySample(),
    });
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
      this.view.update({ platformState: 'failed' });
      const actions = { retry: () => this.loadPlatforms({ allHealthy }) };
      this.selectComponent('#platforms-problem').show(error, { display: 'inline', actions });
    });
    return this.platformsLoaded;
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

  // ---- Requests of other pages

  /** Fill in what another page, or the error dialog of this one, has requested through `app.formRequest`. */
  applyFormRequest() {
    const app = getApp();
    const { from, allHealthy, competitor } = app.formRequest || {};
    app.formRequest = null;
    const copied = from ? this.copyDiagnosis(from) : Promise.resolve();
    copied.then(() => {
      if (competitor) this.insertCompetitor({ name: competitor, aliases: '' });
      if (allHealthy) this.loadPlatforms({ allHealthy });
    });
  },

  /** @param {string} id */
  copyDiagnosis(id) {
    return getApp().api.getDiagnosis(id).then(
      (diagnosis) => this.fillForm(drafts.draftFromDiagnosis(diagnosis)),
      (error) => this.selectComponent('#errors').show(error, { display: 'toast' }),
    );
  },

  // ---- The latest diagnoses

  loadLatest() {
    return getApp().api.listDiagnoses().then(({ items }) => {
      const latest = items.slice(0, MAX_LATEST).map(diagnosisItem);
      this.view.update({ latest, latestState: latest.length ? 'ready' : 'empty' });
      this.selectComponent('#latest-problem').hide();
    }, (error) => {
      this.view.update({ latestState: 'failed' });
      this.selectComponent('#latest-problem').show(error, { display: 'inline', actions: { retry: () => this.loadLatest() } });
    });
  },

  openHistory() {
    wx.switchTab({ url: '/pages/history/history' });
  },
};

Page(Object.assign(page, competitorMethods, questionMethods, submissionMethods));
