/** Where the server is, and what the platform's console has given out. The only file to edit before a release. */
'use strict';

module.exports = {
  VERSION: '0.1.0',
  /** By the version of the mini-program that runs: the developers' own, on trial, or released. */
  SERVERS: {
    develop: 'http://127.0.0.1:8765',
    trial: 'https://diagnosis.example.com',
    release: 'https://diagnosis.example.com',
  },
  /** The subscribe message "diagnosis ended", from the console of the platform. Without one nobody is asked. */
  TEMPLATE_ID: '',
};
