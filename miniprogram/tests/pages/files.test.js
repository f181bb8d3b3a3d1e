'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { open, templateProblems } = require('../host/compile');
const { measurePackage } = require('../support/package');

const ROOT = path.join(__dirname, '..', '..');
const project = open(ROOT);
// Each package has a limit of its own: the one that a first visit waits for, and those that are loaded meanwhile.
const MOST_BYTES = 100000;
const english = { ...require('../../presentation/english'), ...require('../../pages/report-v2/english') };

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

test('no package is larger than 100 kB as WeChat counts it, nor all of it to download; without tests and tools', async (t) => {
  const { main, later, largest, download, source, files } = await measurePackage();
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  t.diagnostic(`the package: ${kB(main)}, the report's ${kB(later)}; to download ${kB(download)}; source ${kB(source)} in ${files.length} files`);
  assert.ok(largest <= MOST_BYTES, `${largest} bytes`);
  assert.ok(download <= MOST_BYTES, `${download} bytes`);
  assert.deepEqual(files.filter((file) => !/^(app\.\w+|(config|sitemap|theme)\.js(on)?|(images|components|pages|presentation|services)\/.*\.(js|json|wxml|wxss|png))$/.test(file)), []);
});

test('a package that is loaded first asks nothing of one that is loaded later', () => {
  const later = project.json('app.json').subPackages.map(({ root }) => `${root}/`);
  const isLater = (file) => later.some((root) => file.startsWith(root));
  for (const file of project.list().filter((name) => name.endsWith('.js') && !isLater(name))) {
    for (const [, asked] of project.read(file).matchAll(/require\('(\.[^']*)'\)/g)) {
      assert.ok(!isLater(path.posix.join(path.posix.dirname(file), asked)), `${file} asks for ${asked}`);
    }
  }
});

test('every text has its English', () => {
  const { CATEGORIES } = require('../../presentation/questionTemplates');
  const tabs = project.json('app.json').tabBar.list.map(({ text }) => text);
  const texts = [...textsOfTheCode(), ...CATEGORIES.map(({ name }) => name), ...tabs];
  assert.deepEqual(texts.filter((text) => !english[text]), []);
  const names = (text) => (text.match(/\{\w+\}/g) || []).sort();
  for (const text of texts) assert.deepEqual(names(english[text]), names(text), text);
});

test('what the web page says too is said in the same English', () => {
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
