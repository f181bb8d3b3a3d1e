'use strict';

/** Whether `config.js` is ready for a release. Empty values are "not set up yet"; placeholders and wrong values are errors. */

const PLACEHOLDER_HOST = /(^|\.)(example|test|invalid|localhost)(\.(com|net|org|cn))?$/;
const TOURIST_APP_ID = 'touristappid';

/** @param {string} address  @returns {string} what is wrong with it; empty if nothing */
function describeServerProblem(address) {
  let url;
  try {
    url = new URL(address);
  } catch (error) {
    return 'is not an address';
  }
  if (url.protocol !== 'https:') return 'must begin with https://, as phones refuse any other';
  if (url.origin !== address) return `must have no path, port 443 or slash at its end: write ${url.origin}`;
  if (url.port) return 'must have no port: a domain of the console is matched with it exactly';
  if (/^[\d.]+$|^\[/.test(url.hostname)) return 'must be a domain: WeChat refuses IP addresses';
  if (PLACEHOLDER_HOST.test(url.hostname)) return `is a placeholder: ${url.hostname}`;
  return '';
}

/**
 * @param {{VERSION: string, APP_ID: string, SERVER: string, TEMPLATE_ID: string}} config  of config.js
 * @param {{appid: string}} project  of project.config.json
 * @returns {{missing: string[], errors: string[]}} names that are not set yet; sentences about wrong values
 */
function checkSetup(config, project) {
  const errors = [];
  const serverProblem = config.SERVER && describeServerProblem(config.SERVER);
  if (serverProblem) errors.push(`config.js: SERVER ${serverProblem}`);
  if (config.APP_ID && !/^wx[0-9a-f]{16}$/.test(config.APP_ID)) {
    errors.push('config.js: APP_ID must be wx and 16 characters 0-9 a-f, as the console shows it');
  }
  if (config.TEMPLATE_ID && !/^[\w-]{43}$/.test(config.TEMPLATE_ID)) {
    errors.push('config.js: TEMPLATE_ID must have the 43 characters of the console, or be empty');
  }
  if (!/^\d+\.\d+\.\d+$/.test(config.VERSION)) errors.push('config.js: VERSION must be three numbers, such as 1.0.0');
  if (project.appid !== TOURIST_APP_ID && project.appid !== config.APP_ID) {
    errors.push(`project.config.json: appid must be ${TOURIST_APP_ID} or the APP_ID of config.js`);
  }
  return { missing: ['APP_ID', 'SERVER'].filter((name) => !config[name]), errors };
}

module.exports = { checkSetup };
