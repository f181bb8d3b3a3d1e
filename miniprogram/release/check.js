'use strict';

/** `npm run check`: exit with 1 if config.js has a wrong value; without any value it only says that nothing can be uploaded. */
const { checkSetup } = require('./setup');

const { missing, errors } = checkSetup(require('../config'), require('../project.config.json'));
for (const error of errors) console.error(`error: ${error}`);
if (missing.length && !process.argv.includes('--quiet')) {
  console.log(`config.js is not set up yet: ${missing.join(' and ')} empty. It runs in the developer tools and cannot be uploaded.`);
}
process.exitCode = errors.length ? 1 : 0;
