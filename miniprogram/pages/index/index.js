/** The first page: fill in a diagnosis and start it. */
'use strict';

const { TEMPLATE_ID } = require('../../config');
const drafts = require('../../presentation/draft');
const { about, number, yuan } = require('../../presentation/format');
const { diagnosisItem } = require('../../presentation/items');
const { createPainter } = require('../../presentation/painter');
const { MOST, estimate, firstChoice, platformCard } = require('../../presentation/platforms');
const { CATEGORIES } = require('../../presentation/questions');
const { _, translated } = require('../../presentation/words');
const TEXTS = require('./texts');

const MOST_COMPETITORS = 10;
const MOST_QUESTIONS = 20;
const LATEST = 3;
const SETTLED_MS = 400;

let serial = 0;
/** A row keeps its key while others come and go, so that nobody's typing moves. */
const keyed = (/** @type {object} */ row) => {
  serial += 1;
  return Object.assign({ key: `row${serial}` }, row);
};

Page({
  data: {
    t: TEXTS,
    brand: '',
    aliases: '',
    competitors: [],
    questions: [],
    platforms: [],
    platformState: 'loading',
    isHealthyNoted: false,
    repeats: 1,
    counts: [1, 2, 3, 4, 5],
    errors: {},
    suggestions: [],
    calls: '0',
    callsHow: '',
    expected: '–',
    cost: '–',
    isBusy: false,
    latest: [],
    latestState: 'loading',
    sheet: null,
  },

  onLoad(query) {
    this.painter = createPainter(this);
    this.platforms = [];
    this.write(drafts.loadDraft() || drafts.emptyDraft());
    this.loadPlatforms({ allHealthy: query.platforms === 'healthy' });
    if (query.from) this.copyFrom(query.from);
  },

  onShow() {
    this.painter.show();
    this.painter.paint({ t: translated(TEXTS) });
    wx.setNavigationBarTitle({ title: _('AI 可见度诊断') });
    this.grantWishes();
    this.loadLatest();
  },

  onHide() {
    this.remember();
    this.painter.hide();
  },

  onUnload() {
    clearTimeout(this.settling);
    this.painter.hide();
  },

  // ---- The form

  /** @param {any} draft */
  write(draft) {
    const { brand, aliases, competitors, questions, platforms, repeats } = draft;
    this.form = {
      brand,
      aliases,
      competitors: competitors.map(keyed),
      questions: (questions.length ? questions : ['']).map((/** @type {string} */ text) => keyed({ text })),
      platforms: platforms.slice(),
      repeats,
    };
    this.painter.paint({ brand, aliases, repeats, errors: {}, competitors: this.form.competitors, questions: this.shownQuestions() });
    this.showChoice();
    this.changed();
  },

  read() {
    const { brand, aliases, competitors, questions, platforms, repeats } = this.form;
    return {
      brand,
      aliases,
      competitors: competitors.map(({ name, aliases: others }) => ({ name, aliases: others })),
      questions: questions.map(({ text }) => text),
      platforms,
      repeats,
    };
  },

  remember() {
    if (this.form) drafts.saveDraft(this.read());
  },

  /** The estimate follows every change; what is slower follows when the typing rests. */
  changed() {
    const { calls, callsHow, expected, cost } = this.summary();
    this.painter.paint({ calls, callsHow, expected, cost });
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.remember();
      this.painter.paint({ questions: this.shownQuestions() });
    }, SETTLED_MS);
  },

  summary() {
    const count = this.form.questions.filter(({ text }) => text.trim()).length;
    const chosen = this.platforms.filter(({ id }) => this.form.platforms.includes(id));
    const { calls, seconds, cost } = estimate(chosen, count, this.form.repeats);
    return {
      calls: number(calls),
      callsHow: _('{q} 个问题 × {p} 个平台 × {r} 次', { q: count, p: chosen.length, r: this.form.repeats }),
      expected: calls && seconds !== null ? _('约 {time}', { time: about(seconds) }) : '–',
      cost: calls && cost !== null ? (cost > 0 ? _('约 {price}', { price: yuan(cost) }) : _('免费')) : '–',
    };
  },

  /** A question that names the brand measures nothing: every answer would mention it. */
  shownQuestions() {
    const brand = this.form.brand.trim();
    return this.form.questions.map(({ key, text }) => ({ key, text, isNamed: brand.length > 1 && text.includes(brand) }));
  },

  typed({ currentTarget: { dataset: { name } }, detail: { value } }) {
    this.form[name] = value;
    this.clearError(name);
    this.changed();
  },

  left({ currentTarget: { dataset: { name } } }) {
    this.painter.paint({ [name]: this.form[name] });
    if (name === 'brand') this.suggest();
  },

  typedCompetitor({ currentTarget: { dataset: { index, key, part } }, detail: { value } }) {
    const row = this.form.competitors[index];
    if (!row || row.key !== key) return; // it has been taken away, and the screen does not know yet
    row[part] = value;
    this.clearError(`competitor${index}`);
    this.changed();
  },

  addCompetitor() {
    if (this.form.competitors.length >= MOST_COMPETITORS) return;
    this.form.competitors.push(keyed({ name: '', aliases: '' }));
    this.showCompetitors();
  },

  removeCompetitor({ currentTarget: { dataset: { index } } }) {
    this.form.competitors.splice(index, 1);
    this.showCompetitors();
  },

  showCompetitors() {
    this.painter.paint({ competitors: this.form.competitors.map((row) => Object.assign({}, row)), errors: {} });
    this.showSuggestions();
    this.changed();
  },

  /** Several lines at once, as from a paste, become a question each. */
  typedQuestion({ currentTarget: { dataset: { index, key } }, detail: { value } }) {
    const row = this.form.questions[index];
    if (!row || row.key !== key) return;
    const lines = value.split(/\r?\n/);
    row.text = lines[0];
    this.clearError(`question${index}`);
    if (lines.length > 1) this.spread(index, lines.slice(1).map((/** @type {string} */ line) => line.trim()).filter(Boolean));
    this.changed();
  },

  /** @type {(index: number, lines: string[]) => void} */
  spread(index, lines) {
    const { questions } = this.form;
    // A new key draws the row anew, without the line break that was typed into it.
    questions[index] = keyed({ text: questions[index].text });
    const isEnter = !lines.length && index + 1 >= questions.length;
    const rows = (isEnter ? [''] : lines).map((text) => keyed({ text }));
    questions.splice(index + 1, 0, ...rows.slice(0, MOST_QUESTIONS - questions.length));
    this.showQuestions(index + 1);
  },

  addQuestion() {
    if (this.form.questions.length >= MOST_QUESTIONS) return;
    this.form.questions.push(keyed({ text: '' }));
    this.showQuestions(this.form.questions.length - 1);
  },

  removeQuestion({ currentTarget: { dataset: { index } } }) {
    this.form.questions.splice(index, 1);
    this.showQuestions();
  },

  /** @param {number} [focus] */
  showQuestions(focus = -1) {
    const row = this.form.questions[focus];
    this.painter.paint({ questions: this.shownQuestions(), errors: {}, focus: row ? row.key : '' });
    this.changed();
  },

  chooseRepeats({ currentTarget: { dataset: { count } } }) {
    this.form.repeats = count;
    this.painter.paint({ repeats: count });
    this.changed();
  },

  fillSample() {
    const draft = this.read();
    const isTouched = draft.brand || draft.questions.some((text) => text.trim());
    if (!isTouched) {
      this.useSample();
      return;
    }
    wx.showModal({
      title: _('换成示例？'),
      content: _('您已填写的内容会被替换。'),
      confirmText: _('换成示例'),
      cancelText: _('保留我填的'),
      success: ({ confirm }) => confirm && this.useSample(),
    });
  },

  useSample() {
    this.write(drafts.sampleDraft());
    // The words are there at once, even where the platforms are still on their way.
    this.platformsAsked.then(() => {
      const healthy = this.platforms.filter((platform) => platform.healthy);
      const demo = healthy.filter((platform) => platform.demo).slice(0, 2);
      this.form.platforms = (demo.length ? demo : healthy.slice(0, 1)).map(({ id }) => id);
      this.showChoice();
      this.changed();
    });
  },

  // ---- Suggestions

  suggest() {
    const brand = this.form.brand.trim();
    if (!brand || brand === this.suggestedFor) return;
    this.suggestedFor = brand;
    // Nobody asked for it, so nobody is told when it fails.
    getApp().api.suggestCompetitors(brand).then(({ competitors }) => {
      if (this.suggestedFor !== brand) return;
      this.suggested = competitors;
      this.showSuggestions();
    }, () => { this.suggestedFor = ''; });
  },

  showSuggestions() {
    const taken = this.form.competitors.map(({ name }) => name.trim());
    const left = (this.suggested || []).filter(({ name }) => !taken.includes(name));
    this.painter.paint({ suggestions: left.slice(0, 6) });
  },

  takeSuggestion({ currentTarget: { dataset: { index } } }) {
    const { name, aliases } = this.data.suggestions[index];
    this.takeRival({ name, aliases: aliases.join('、') });
  },

  /** @param {{name: string, aliases: string}} rival */
  takeRival(rival) {
    const row = keyed(rival);
    const empty = this.form.competitors.findIndex((other) => !other.name.trim() && !other.aliases.trim());
    if (empty >= 0) this.form.competitors.splice(empty, 1, row);
    else if (this.form.competitors.length < MOST_COMPETITORS) this.form.competitors.push(row);
    this.showCompetitors();
  },

  // ---- Templates

  openTemplates() {
    this.product = this.product || '';
    this.category = this.category || CATEGORIES[0].id;
    this.showTemplates();
  },

  showTemplates() {
    const category = CATEGORIES.find(({ id }) => id === this.category) || CATEGORIES[0];
    const product = this.product.trim() || category.example;
    const taken = this.form.questions.map(({ text }) => text.trim());
    const questions = category.questions.map((text) => text.replace('{product}', product));
    this.painter.paint({
      sheet: {
        product: this.product,
        productHint: _(TEXTS.productHint, { example: category.example }),
        category: category.id,
        categories: CATEGORIES.map(({ id, name }) => ({ id, name: _(name) })),
        questions: questions.map((text) => ({ text, isTaken: taken.includes(text) })),
      },
    });
  },

  closeTemplates() {
    this.painter.paint({ sheet: null });
  },

  typedProduct({ detail: { value } }) {
    this.product = value;
    this.showTemplates();
  },

  chooseCategory({ currentTarget: { dataset: { id } } }) {
    this.category = id;
    this.showTemplates();
  },

  toggleTemplate({ currentTarget: { dataset: { text } } }) {
    const { questions } = this.form;
    const at = questions.findIndex((row) => row.text.trim() === text);
    const empty = questions.findIndex((row) => !row.text.trim());
    if (at >= 0) questions.splice(at, 1, keyed({ text: '' }));
    else if (empty >= 0) questions.splice(empty, 1, keyed({ text }));
    else if (questions.length < MOST_QUESTIONS) questions.push(keyed({ text }));
    this.showQuestions();
    this.showTemplates();
  },

  ignore() {},

  // ---- Platforms

  /** @param {{allHealthy?: boolean}} [choice] */
  loadPlatforms({ allHealthy = false } = {}) {
    this.painter.paint({ platformState: 'loading' });
    this.platformsAsked = getApp().api.listPlatforms().then((platforms) => {
      this.platforms = platforms;
      this.form.platforms = firstChoice(platforms, { wanted: this.form.platforms, allHealthy });
      this.showChoice();
      this.painter.paint({
        platformState: platforms.length ? 'ready' : 'empty',
        isHealthyNoted: allHealthy && this.form.platforms.length > 0,
      });
      this.problemAt('#platforms-problem').hide();
      this.changed();
    }, (error) => {
      this.painter.paint({ platformState: 'failed' });
      this.problemAt('#platforms-problem').show(error, { display: 'inline', actions: { retry: () => this.loadPlatforms({ allHealthy }) } });
    });
    return this.platformsAsked;
  },

  showChoice() {
    const cards = this.platforms.map((platform) => platformCard(platform, this.form.platforms.includes(platform.id)));
    if (cards.length) this.painter.paint({ platforms: cards });
  },

  togglePlatform({ currentTarget: { dataset: { id } } }) {
    const { platforms } = this.form;
    if (platforms.includes(id)) this.form.platforms = platforms.filter((other) => other !== id);
    else if (platforms.length < MOST) this.form.platforms = platforms.concat(id);
    this.clearError('platforms');
    this.showChoice();
    this.changed();
  },

  // ---- What comes from elsewhere

  /** What another page, or this one's error dialog, wants to be filled in. */
  grantWishes() {
    const app = getApp();
    const { from, allHealthy, rival } = app.wishes || {};
    app.wishes = null;
    const copied = from ? this.copyFrom(from) : Promise.resolve();
    copied.then(() => {
      if (rival) this.takeRival({ name: rival, aliases: '' });
      if (allHealthy) this.loadPlatforms({ allHealthy });
    });
  },

  /** @param {string} id */
  copyFrom(id) {
    return getApp().api.getDiagnosis(id).then(
      (diagnosis) => this.write(drafts.draftFrom(diagnosis)),
      (error) => this.problemAt('#errors').show(error, { display: 'toast' }),
    );
  },

  loadLatest() {
    return getApp().api.listDiagnoses().then(({ items }) => {
      const latest = items.slice(0, LATEST).map(diagnosisItem);
      this.painter.paint({ latest, latestState: latest.length ? 'ready' : 'empty' });
      this.problemAt('#latest-problem').hide();
    }, (error) => {
      this.painter.paint({ latestState: 'failed' });
      this.problemAt('#latest-problem').show(error, { display: 'inline', actions: { retry: () => this.loadLatest() } });
    });
  },

  openHistory() {
    wx.switchTab({ url: '/pages/history/history' });
  },

  // ---- Starting

  start() {
    if (this.data.isBusy) return;
    this.problemAt('#form-problem').hide();
    const { body, rows } = drafts.bodyOf(this.read());
    const fields = this.missing(body);
    if (Object.keys(fields).length) {
      this.showFieldErrors(fields, rows);
      return;
    }
    this.painter.paint({ errors: {}, isBusy: true });
    this.askToTell(() => this.submit(body, rows));
  },

  /** May we tell when it has ended? Only a tap may ask, and whatever the answer, the diagnosis starts. @param {() => void} then */
  askToTell(then) {
    if (!TEMPLATE_ID || !wx.canIUse('requestSubscribeMessage')) then();
    else wx.requestSubscribeMessage({ tmplIds: [TEMPLATE_ID], complete: then });
  },

  /** @type {(body: any, rows: any) => Promise<void>} */
  submit(body, rows) {
    const { api } = getApp();
    return api.createDiagnosis(body, drafts.submissionKey(body, api.newKey)).then((created) => {
      drafts.clearDraft(body);
      this.write(drafts.emptyDraft());
      this.painter.paint({ isBusy: false });
      wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${created.id}` });
    }, (error) => {
      this.painter.paint({ isBusy: false });
      this.refused(error, body, rows);
    });
  },

  /** @param {any} body */
  missing(body) {
    /** @type {{[path: string]: string}} */
    const fields = {};
    if (!body.brand) fields.brand = _('请填写品牌名。');
    body.competitors.forEach(({ name }, index) => {
      if (!name) fields[`competitors.${index}.name`] = _('请填写竞品名称，或删除这一行。');
    });
    if (!body.questions.length) fields.questions = _('请至少填写一个问题。');
    if (!body.platforms.length) fields.platforms = _('请至少选择一个平台。');
    return fields;
  },

  /** @type {(error: any, body: any, rows: any) => void} */
  refused(error, body, rows) {
    const { code, fields, display } = getApp().errors.present(error);
    if (code === 'CONFLICT') drafts.forgetSubmission();
    if (this.showFieldErrors(fields, rows)) return;
    // What was typed stays in sight, whatever the problem.
    const form = display === 'page' ? 'modal' : display;
    const where = form === 'inline' ? '#form-problem' : '#errors';
    this.problemAt(where).show(error, { display: form, actions: { retry: () => this.start() } });
  },

  /** The field that a path of the API means: `questions.2` is the third question that was sent. @type {(path: string, rows: any) => string} */
  fieldAt(path, rows) {
    const [name, index] = path.split('.');
    if (name === 'questions') return `question${rows.questions[Number(index)] || 0}`;
    if (name === 'competitors') return `competitor${rows.competitors[Number(index)] || 0}`;
    return ['brand', 'aliases', 'platforms', 'repeats'].includes(name) ? name : '';
  },

  /** Says each error at its field and moves to the first; false when none of them has a field here. @type {(fields: any, rows: any) => boolean} */
  showFieldErrors(fields, rows) {
    /** @type {{[field: string]: string}} */
    const errors = {};
    Object.keys(fields).forEach((path) => {
      const field = this.fieldAt(path, rows);
      if (field) errors[field] = fields[path];
    });
    const order = ['brand', 'aliases', ...this.form.competitors.map((row, index) => `competitor${index}`), ...this.form.questions.map((row, index) => `question${index}`), 'platforms', 'repeats'];
    const first = order.find((field) => errors[field]);
    if (!first) return false;
    this.painter.paint({ errors });
    wx.pageScrollTo({ selector: `#field-${first}`, offsetTop: -72, duration: 200 });
    return true;
  },

  /** @param {string} field */
  clearError(field) {
    if (this.data.errors[field]) this.painter.paint({ [`errors.${field}`]: '' });
  },

  problemAt(selector) {
    return this.selectComponent(selector);
  },

  onShareAppMessage: () => ({ title: _('AI 会推荐您的品牌吗？'), path: '/pages/index/index' }),
});
