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
/** The site of `make run`, on the computer that runs the developer tools. */
const LOCAL_SERVER = 'http://127.0.0.1:8765';

/** Whether this is a development version. Reviewers run one too, on their phones. */
const isDevelopVersion = () => wx.getAccountInfoSync().miniProgram.envVersion === 'develop';

const isDevtools = () => wx.getDeviceInfo().platform === 'devtools';

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
  /** A preview for a development site names it: `npm run preview -- --server URL`. */
  onLaunch({ query }) {
    if (query.server && isDevelopVersion()) wx.setStorageSync(SERVER_KEY, decodeURIComponent(query.server));
    this.connect();
  },

  /** Create the services; called again when the language or the server changes. */
  connect() {
    const chosen = isDevelopVersion() && wx.getStorageSync(SERVER_KEY);
    this.isDevelopment = Boolean(chosen) || (isDevelopVersion() && isDevtools());
    this.server = this.isDevelopment ? chosen || LOCAL_SERVER : config.SERVER;
    const http = createHttp({ wx, baseUrl: this.server, language: language() });
    this.session = createSession({ wx, http, credentials: this.server === config.SERVER ? undefined : getDeviceCredentials });
    this.api = createApi({ http, session: this.session });
    this.errors = createErrorCatalog({ wx, http });
    this.transport = createWxTransport({ wx, baseUrl: this.server, compresses: config.COMPRESSES_SOCKETS });
    this.errors.load();
  },

  /** Connect to another server; only where `isDevelopment`. */
  setServer(address) {
    wx.setStorageSync(SERVER_KEY, address);
    this.session.signOut();
    this.connect();
  },
});
