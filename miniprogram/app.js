'use strict';

const config = require('./config');
const { createApi } = require('./services/api');
const { createErrorCatalog } = require('./services/errorCatalog');
const { createHttp } = require('./services/http');
const { createSession } = require('./services/session');
const { createWxTransport } = require('./services/transports/wx');
const { language } = require('./presentation/words');

const DEVICE = 'diag.device';
const SERVER = 'diag.server';

function versionOfWeChat() {
  return wx.canIUse('getAccountInfoSync') ? wx.getAccountInfoSync().miniProgram.envVersion : 'release';
}

/** A developer's own site knows no WeChat secret: there a device signs in by its number. */
function deviceCredentials() {
  let id = wx.getStorageSync(DEVICE);
  if (!id) {
    id = `mini-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 12)}`;
    wx.setStorageSync(DEVICE, id);
  }
  return { device_id: id };
}

App({
  onLaunch() {
    this.connect();
  },

  /** Makes the services, again when the language or the server is another. */
  connect() {
    const version = versionOfWeChat();
    this.isDevelopment = version === 'develop';
    this.server = (this.isDevelopment && wx.getStorageSync(SERVER)) || config.SERVERS[version] || config.SERVERS.release;
    const http = createHttp({ wx, baseUrl: this.server, language: language() });
    this.session = createSession({ wx, http, credentials: this.isDevelopment ? deviceCredentials : undefined });
    this.api = createApi({ http, session: this.session });
    this.errors = createErrorCatalog({ wx, http });
    this.transport = createWxTransport({ wx, baseUrl: this.server });
    this.errors.load();
  },

  /** Only a developer's version may be pointed elsewhere. */
  useServer(address) {
    wx.setStorageSync(SERVER, address);
    this.session.signOut();
    this.connect();
  },

  /** What a page leaves for a tab, which takes no parameters: `{from, allHealthy, rival}` for the form. */
  wishes: null,
});
