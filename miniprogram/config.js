/** The server addresses and the template id from the WeChat console. The only file to edit before a release. */
'use strict';

module.exports = {
  VERSION: '0.1.0',
  /** By the running version of the mini-program. */
  SERVERS: {
    develop: 'http://127.0.0.1:8765',
    trial: 'https://diagnosis.example.com',
    release: 'https://diagnosis.example.com',
  },
  /** Whether sockets compress their messages; switch off when a device or a proxy cannot read them. */
  COMPRESSES_SOCKETS: true,
  /** The template of the subscribe message "diagnosis ended". Empty: no message is offered. */
  TEMPLATE_ID: '',
};
