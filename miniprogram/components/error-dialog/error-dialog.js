/**
 * Shows an error in the display form of its text (toast, modal, full page or inline) and performs the action of its
 * button. A page calls `show`.
 */
'use strict';

const { _ } = require('../../presentation/i18n');

const TOAST_WITH_ACTION_MS = 6000;
const TOAST_MS = 3000;
/** @type {{[icon: string]: string}} */
const ICONS = { info: 'i', error: '✕', success: '✓', none: '' };
/** @param {string} name */
const getIcon = (name) => (name in ICONS ? ICONS[name] : '!');
const HOME = '/pages/overview/overview';
const FORM = '/pages/index/index';
const HISTORY = '/pages/history/history';

/** @param {string} url */
const switchTab = (url) => wx.switchTab({ url });

/** The default of each action; a page may replace it. @type {{[kind: string]: (params: any, dialog: any) => void}} */
const ACTIONS = {
  retry: (params, dialog) => dialog.reloadPage(),
  switch_platform(params, dialog) {
    const from = params.diagnosis || dialog.data.diagnosis;
    const current = getCurrentPages().slice(-1)[0];
    if (current.selectHealthyPlatforms) current.selectHealthyPlatforms(); // it is the form
    else wx.navigateTo({ url: `${FORM}?platforms=healthy${from ? `&from=${from}` : ''}` });
  },
  open_history: () => switchTab(HISTORY),
  open_report(params, dialog) {
    const id = params.diagnosis || dialog.data.diagnosis;
    const current = getCurrentPages().slice(-1)[0];
    if (id && current.openReport && current.options.id === id) current.openReport(); // it is on the screen
    else if (id) wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${id}` });
    else switchTab(HISTORY);
  },
  sign_in(params, dialog) {
    const { session } = getApp();
    session.signOut().then(() => session.getToken()).then(() => dialog.perform('retry'), (error) => dialog.show(error));
  },
  go_home: () => switchTab(HOME),
  dismiss: () => {},
};

Component({
  properties: {
    /** the id of the page's diagnosis, if any */
    diagnosis: { type: String, value: '' },
  },

  data: { error: null, display: '', waitSeconds: 0, prefix: '', referenceText: '', waitText: '', closeText: '' },

  lifetimes: {
    detached() {
      this.clearTimers();
    },
  },

  methods: {
    /**
     * @param {any} error  an error of a service, or a problem body
     * @param {{actions?: {[kind: string]: () => void}, display?: string, prefix?: string, values?: object}} [options]
     *   `actions` replaces default actions, `display` overrides the display form, `values` fills placeholders
     */
    show(error, { actions = {}, display = '', prefix = '', values = {} } = {}) {
      this.clearTimers();
      const shown = getApp().errors.present(error, values);
      this.actions = actions;
      const form = display || shown.display;
      const hasAction = shown.action.kind !== 'dismiss';
      this.setData({
        display: form,
        prefix,
        error: { code: shown.code, title: shown.title, message: shown.message, suggestion: shown.suggestion, severity: shown.severity, icon: getIcon(shown.icon), label: shown.action.label, hasAction },
        referenceText: shown.reference ? _('参考编号 {id}', { id: shown.reference }) : '',
        closeText: _('关闭'),
        waitSeconds: 0,
        waitText: '',
      });
      this.action = shown.action;
      if (form === 'toast') this.hideLater(shown.durationMs || (hasAction ? TOAST_WITH_ACTION_MS : TOAST_MS));
      if (shown.action.kind === 'retry' && shown.waitMs) this.countDown(Date.now() + shown.waitMs);
    },

    hide() {
      this.clearTimers();
      if (this.data.error) this.setData({ error: null, display: '' });
    },

    clearTimers() {
      clearTimeout(this.hideTimer);
      clearTimeout(this.countdownTimer);
    },

    /** @param {number} ms */
    hideLater(ms) {
      this.hideTimer = setTimeout(() => this.hide(), ms);
    },

    /** Disable the button for as long as the server asks. @param {number} readyAt */
    countDown(readyAt) {
      const waitSeconds = Math.max(0, Math.ceil((readyAt - Date.now()) / 1000));
      const waitText = waitSeconds ? _('{label}（{s} 秒后）', { label: this.data.error.label, s: waitSeconds }) : '';
      this.setData({ waitSeconds, waitText });
      if (waitSeconds) this.countdownTimer = setTimeout(() => this.countDown(readyAt), 1000);
      else if (this.data.display === 'toast') this.hideLater(TOAST_WITH_ACTION_MS);
    },

    performAction() {
      if (this.data.waitSeconds) return;
      const { kind, params } = this.action;
      this.hide();
      this.perform(kind, params);
    },

    /** @type {(kind: string, params?: any) => void} */
    perform(kind, params = {}) {
      if (this.actions[kind]) this.actions[kind]();
      else ACTIONS[kind](params, this);
    },

    reloadPage() {
      const pages = getCurrentPages();
      const { route, options } = pages[pages.length - 1];
      const query = Object.keys(options).map((key) => `${key}=${options[key]}`).join('&');
      wx.reLaunch({ url: `/${route}${query ? `?${query}` : ''}` });
    },

    /** Keep the page behind the dialog from scrolling. */
    noop() {},
  },
});
