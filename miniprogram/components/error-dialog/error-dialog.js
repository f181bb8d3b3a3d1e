/**
 * Shows any problem the way its words ask for: a toast, a dialog, the whole page, or in its place among the content;
 * and does what its button says. A page calls `show`.
 */
'use strict';

const { _ } = require('../../presentation/words');

const TOAST_WITH_ACTION_MS = 6000;
const TOAST_MS = 3000;
const HOME = '/pages/index/index';
const HISTORY = '/pages/history/history';

/** @param {string} url */
const switchTab = (url) => wx.switchTab({ url });

/** What a button does where the page has nothing better. @type {{[kind: string]: (params: any, dialog: any) => void}} */
const ACTIONS = {
  retry: (params, dialog) => dialog.reloadPage(),
  switch_platform(params, dialog) {
    getApp().wishes = { from: params.diagnosis || dialog.data.diagnosis, allHealthy: true };
    switchTab(HOME);
    // Who is on that tab already is not shown it again.
    const top = getCurrentPages().slice(-1)[0];
    if (top.grantWishes) top.grantWishes();
  },
  open_history: () => switchTab(HISTORY),
  open_report(params, dialog) {
    const id = params.diagnosis || dialog.data.diagnosis;
    if (id) wx.navigateTo({ url: `/pages/report-v2/report-v2?id=${id}` });
    else switchTab(HISTORY);
  },
  sign_in(params, dialog) {
    const { session } = getApp();
    session.signOut().then(() => session.getToken()).then(() => dialog.retryOr('retry'), (error) => dialog.show(error));
  },
  go_home: () => switchTab(HOME),
  dismiss: () => {},
};

Component({
  properties: {
    /** the diagnosis that the page is about, if any */
    diagnosis: { type: String, value: '' },
  },

  data: { shown: null, form: '', wait: 0, prefix: '', referenceText: '', waitText: '', closeText: '' },

  lifetimes: {
    detached() {
      this.stop();
    },
  },

  methods: {
    /**
     * @param {any} thrown  an error of a service, or a problem body
     * @param {{actions?: {[kind: string]: () => void}, display?: string, prefix?: string, known?: object}} [options]
     *   `actions` replaces what a button does, `display` overrules the words where the page cannot honour them
     */
    show(thrown, { actions = {}, display = '', prefix = '', known = {} } = {}) {
      this.stop();
      const shown = getApp().errors.present(thrown, known);
      this.actions = actions;
      const form = display || shown.display;
      const hasAction = shown.action.kind !== 'dismiss';
      this.setData({
        form,
        prefix,
        shown: { code: shown.code, title: shown.title, message: shown.message, suggestion: shown.suggestion, severity: shown.severity, label: shown.action.label, hasAction },
        referenceText: shown.reference ? _('参考编号 {id}', { id: shown.reference }) : '',
        closeText: _('关闭'),
        wait: 0,
        waitText: '',
      });
      this.action = shown.action;
      if (form === 'toast') this.leaveLater(shown.durationMs || (hasAction ? TOAST_WITH_ACTION_MS : TOAST_MS));
      if (shown.action.kind === 'retry' && shown.waitMs) this.countDown(Date.now() + shown.waitMs);
      this.triggerEvent('shown', { code: shown.code, form });
    },

    hide() {
      this.stop();
      if (this.data.shown) this.setData({ shown: null, form: '' });
    },

    stop() {
      clearTimeout(this.leaving);
      clearTimeout(this.counting);
    },

    /** @param {number} ms */
    leaveLater(ms) {
      this.leaving = setTimeout(() => this.hide(), ms);
    },

    /** The button waits as long as the server has asked for. @param {number} readyAt */
    countDown(readyAt) {
      const wait = Math.max(0, Math.ceil((readyAt - Date.now()) / 1000));
      const waitText = wait ? _('{label}（{s} 秒后）', { label: this.data.shown.label, s: wait }) : '';
      this.setData({ wait, waitText });
      if (wait) this.counting = setTimeout(() => this.countDown(readyAt), 1000);
      else if (this.data.form === 'toast') this.leaveLater(TOAST_WITH_ACTION_MS);
    },

    act() {
      if (this.data.wait) return;
      const { kind, params } = this.action;
      this.hide();
      this.retryOr(kind, params);
    },

    /** @type {(kind: string, params?: any) => void} */
    retryOr(kind, params = {}) {
      if (this.actions[kind]) this.actions[kind]();
      else ACTIONS[kind](params, this);
    },

    reloadPage() {
      const pages = getCurrentPages();
      const { route, options } = pages[pages.length - 1];
      const query = Object.keys(options).map((key) => `${key}=${options[key]}`).join('&');
      wx.reLaunch({ url: `/${route}${query ? `?${query}` : ''}` });
    },

    ignore() {},
  },
});
