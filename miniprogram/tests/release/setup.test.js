'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { checkSetup } = require('../../release/setup');

const ROOT = path.join(__dirname, '..', '..');
const READY = { VERSION: '1.0.0', APP_ID: 'wx0123456789abcdef', SERVER: 'https://diagnosis.site.cn', TEMPLATE_ID: '' };
const check = (changes, appid = 'touristappid') => checkSetup({ ...READY, ...changes }, { appid });

test('the file as it is shipped is not set up, which is no error', () => {
  const shipped = checkSetup(require('../../config'), require('../../project.config.json'));
  assert.deepEqual(shipped, { missing: ['APP_ID', 'SERVER'], errors: [] });
});

test('a complete file has no problem', () => {
  assert.deepEqual(check({}), { missing: [], errors: [] });
  assert.deepEqual(check({ TEMPLATE_ID: 'a'.repeat(43) }, READY.APP_ID), { missing: [], errors: [] });
});

test('a placeholder or a value that phones refuse is an error that names it', () => {
  const wrong = [
    [{ APP_ID: 'touristappid' }, /APP_ID/], [{ APP_ID: 'wx0123' }, /APP_ID/],
    [{ SERVER: 'https://diagnosis.example.com' }, /placeholder: diagnosis\.example\.com/], [{ SERVER: 'https://site.example' }, /placeholder/],
    [{ SERVER: 'https://localhost' }, /placeholder/], [{ SERVER: 'http://diagnosis.site.cn' }, /https/], [{ SERVER: 'https://10.0.0.1' }, /IP/],
    [{ SERVER: 'https://diagnosis.site.cn:8443' }, /port/], [{ SERVER: 'https://diagnosis.site.cn/' }, /write https:\/\/diagnosis\.site\.cn/],
    [{ SERVER: 'https://diagnosis.site.cn/api' }, /path/], [{ SERVER: 'diagnosis.site.cn' }, /not an address/],
    [{ TEMPLATE_ID: 'template' }, /TEMPLATE_ID/], [{ VERSION: '1.0' }, /VERSION/],
  ];
  for (const [changes, message] of wrong) {
    const { errors } = check(changes);
    assert.equal(errors.length, 1, JSON.stringify(changes));
    assert.match(errors[0], message);
  }
  assert.match(check({}, 'wxfedcba9876543210').errors[0], /project\.config\.json/);
});

test('nothing is uploaded from the file as it is shipped, and the help explains the rest', () => {
  const run = (...args) => spawnSync(process.execPath, [path.join(ROOT, 'release', 'run.js'), ...args], { encoding: 'utf8' });
  for (const command of ['upload', 'preview']) {
    const { status, stderr } = run(command);
    assert.equal(status, 1);
    assert.match(stderr, /APP_ID is empty[\s\S]*SERVER is empty/);
  }
  assert.match(run('--help').stdout, /MINIPROGRAM_KEY/);
  for (const wrong of [[], ['publish'], ['upload', '--robot', '31'], ['upload', '--unknown']]) assert.equal(run(...wrong).status, 1);
});
