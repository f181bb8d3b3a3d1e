'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { deflateRawSync } = require('node:zlib');
const { minify } = require('terser');
const { open, templateProblems } = require('../host/compile');

const ROOT = path.join(__dirname, '..', '..');
const project = open(ROOT);
const config = project.json('project.config.json');
const MOST_BYTES = 100 * 1024;

/** What the platform's packer takes, by the same rules. */
function shipped() {
  const { ignore } = config.packOptions;
  const isIgnored = (file) => ignore.some(({ type, value }) => ({
    folder: file.startsWith(`${value}/`), file: file === value, suffix: file.endsWith(value), regexp: type === 'regexp' && new RegExp(value).test(file),
  })[type]);
  return fs.readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath || entry.path, entry.name)))
    .filter((file) => !isIgnored(file));
}

/** Every Chinese text that the code shows: in `_('…')` and in the tables of a page's texts. */
function textsOfTheCode() {
  const found = new Set();
  for (const file of project.list().filter((name) => /^(pages|components|presentation)\/.*\.js$/.test(name) && !name.endsWith('english.js'))) {
    const code = project.read(file);
    for (const [, text] of code.matchAll(/_\('((?:[^'\\]|\\.)*)'/g)) found.add(text);
    for (const [, table] of code.matchAll(/(?:const TEXTS = |module\.exports = )\{\n([\s\S]*?)\n\};/g)) {
      for (const [, text] of table.matchAll(/^ {2}\w+: '((?:[^'\\]|\\.)*)',$/gm)) found.add(text);
    }
  }
  return found;
}

test('the templates compile without a complaint', () => {
  assert.deepEqual(templateProblems(ROOT), []);
});

/** A file as it is uploaded: project.config.json has code, templates and styles minified. */
async function packed(file) {
  const whole = fs.readFileSync(path.join(ROOT, file));
  const text = whole.toString('utf8');
  if (file.endsWith('.js')) return Buffer.from((await minify(text, { toplevel: true })).code);
  if (file.endsWith('.json')) return Buffer.from(JSON.stringify(JSON.parse(text)));
  if (file.endsWith('.wxss')) return Buffer.from(text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\s*([{}:;,])\s*/g, '$1').replace(/\s+/g, ' '));
  if (file.endsWith('.wxml')) return Buffer.from(text.replace(/>\s+</g, '><'));
  return whole;
}

test('the package to download is at most 100 kB, without tests and tools', async (t) => {
  const { minified, minifyWXSS, minifyWXML } = config.setting;
  assert.deepEqual([minified, minifyWXSS, minifyWXML], [true, true, true]);
  const files = shipped();
  const contents = await Promise.all(files.map(packed));
  const total = (sizes) => sizes.reduce((sum, size) => sum + size, 0);
  const unpacked = total(contents.map((content) => content.length));
  const downloaded = total(contents.map((content) => deflateRawSync(content).length));
  t.diagnostic(`the package: ${(downloaded / 1024).toFixed(1)} kB to download, ${(unpacked / 1024).toFixed(1)} kB unpacked, ${files.length} files`);
  assert.ok(downloaded <= MOST_BYTES, `${downloaded} bytes: ${files.join(' ')}`);
  assert.deepEqual(files.filter((file) => /test|node_modules|\.d\.ts$/.test(file)), []);
});

test('every text has its English', () => {
  const english = require('../../presentation/english');
  const { CATEGORIES } = require('../../presentation/questions');
  const tabs = project.json('app.json').tabBar.list.map(({ text }) => text);
  const texts = [...textsOfTheCode(), ...CATEGORIES.map(({ name }) => name), ...tabs];
  assert.deepEqual(texts.filter((text) => !english[text]), []);
  const names = (text) => (text.match(/\{\w+\}/g) || []).sort();
  for (const text of texts) assert.deepEqual(names(english[text]), names(text), text);
});

test('what the web page says too is said in the same English', () => {
  const english = require('../../presentation/english');
  const catalogue = fs.readFileSync(path.join(ROOT, '..', 'locale', 'en', 'LC_MESSAGES', 'djangojs.po'), 'utf8');
  for (const [, chinese, own] of catalogue.matchAll(/^msgid "(.+)"\nmsgstr "(.+)"$/gm)) {
    if (english[chinese]) assert.equal(english[chinese], own.replace(/\\"/g, '"'), chinese);
  }
});

test('every picture and every colour of the theme is there, light and dark', () => {
  const theme = project.json('theme.json');
  assert.deepEqual(Object.keys(theme.dark), Object.keys(theme.light));
  const used = JSON.stringify(project.json('app.json')).match(/"@\w+"/g).map((name) => name.slice(2, -1));
  assert.deepEqual(used.filter((name) => !theme.light[name]), []);
  const pictures = [...Object.values(theme.light), ...Object.values(theme.dark)].filter((value) => value.endsWith('.png'));
  for (const picture of pictures) assert.ok(project.has(picture), picture);
});
