'use strict';

const config = require('./config');
const { createApi } = require('./services/api');
const { createErrorCatalog } = require('./services/errorCatalog');
const { createHttp } = require('./services/http');
const { createSession } = require('./services/session');
const { createWxTransport } = require('./services/transports/wx');
const { language } = require('./presentation/i18n');

const DEVICE_KEY = 'diag.device';
const SERVER_KEY = 'diag.server';

/** @returns {string} `develop`, `trial` or `release` */
function getVersion() {
  return wx.canIUse('getAccountInfoSync') ? wx.getAccountInfoSync().miniProgram.envVersion : 'release';
}

/** A development site has no WeChat secret: a device signs in to it with a random id. */
function getDeviceCredentials() {
  let id = wx.getStorageSync(DEVICE_KEY);
  if (!id) {
    id = `mini-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 12)}`;
    wx.setStorageSync(DEVICE_KEY, id);
  }
  return { device_id: id };
}

App({
  onLaunch() {
    this.connect();
  },

  /** Create the services; called again when the language or the server changes. */
  connect() {
    const version = getVersion();
    this.isDevelopment = version === 'develop';
    this.server = (this.isDevelopment && wx.getStorageSync(SERVER_KEY)) || config.SERVERS[version] || config.SERVERS.release;
    const http = createHttp({ wx, baseUrl: this.server, language: language() });
    this.session = createSession({ wx, http, credentials: this.isDevelopment ? getDeviceCredentials : undefined });
    this.api = createApi({ http, session: this.session });
    this.errors = createErrorCatalog({ wx, http });
    this.transport = createWxTransport({ wx, baseUrl: this.server, compresses: config.COMPRESSES_SOCKETS });
    this.errors.load();
  },

  /** Connect to another server; only in a development version. */
  setServer(address) {
    wx.setStorageSync(SERVER_KEY, address);
    this.session.signOut();
    this.connect();
  },

  /** What the form shall be filled with when its tab is shown, as a tab takes no parameters: `{from, allHealthy}`. */
  formRequest: null,
});
