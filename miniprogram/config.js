/** What differs between two mini-programs: the only file to edit before a release. `npm run check` says what is missing. */
'use strict';

module.exports = {
  VERSION: '0.1.0',
  /** The app id from the WeChat console: 开发管理 › 开发设置. */
  APP_ID: '',
  /** The site: https and a filed domain, without port and path. Registered in the console as request and socket domain. */
  SERVER: '',
  /** Whether sockets compress their messages; switch off when a device or a proxy cannot read them. */
  COMPRESSES_SOCKETS: true,
  /** The template of the subscribe message "diagnosis ended". Empty: no message is offered. */
  TEMPLATE_ID: '',
};
