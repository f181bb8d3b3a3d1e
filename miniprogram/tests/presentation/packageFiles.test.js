'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { openProject, templateProblems } = require('../host/compile');
const { API_VERSIONS } = require('../host/limits');
const { measurePackage } = require('../support/packageSize');

const ROOT = path.join(__dirname, '..', '..');
const project = openProject(ROOT);
const MAX_MAIN_BYTES = 100000;
const MAX_BYTES = 250000;
const english = { ...require('../../presentation/english'), ...require('../../pages/report-v2/english'), ...require('../../pages/index/english'), ...require('../../packages/account/english') };

/** Every Chinese text in the code: in `_('…')` and in the tables of fixed texts. */
function findTexts() {
  const found = new Set();
  for (const file of project.list().filter((name) => /^(packages|pages|components|presentation)\/.*\.js$/.test(name) && !/english\.js$|reportLabels\.js$|\/stream\/(web|report)/.test(name))) {
    const code = project.read(file);
    for (const [, text] of code.matchAll(/_\('((?:[^'\\]|\\.)*)'/g)) found.add(text);
    for (const [, table] of code.matchAll(/(?:const TEXTS = |module\.exports = )\{\n([\s\S]*?)\n\};/g)) {
      for (const [, text] of table.matchAll(/^ {2}\w+: '((?:[^'\\]|\\.)*)',$/gm)) found.add(text);
    }
  }
  return found;
}

test('the templates compile without problems', () => {
  assert.deepEqual(templateProblems(ROOT), []);
});

test('the first package has at most 100 kB, all have 250 kB, and no tests or tools are uploaded', async (t) => {
  const { main, later, download, source, files } = await measurePackage();
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  t.diagnostic(`the package: ${kB(main)}, the report's ${kB(later)}; to download ${kB(download)}; source ${kB(source)} in ${files.length} files`);
  assert.ok(main <= MAX_MAIN_BYTES, `${main} bytes`);
  assert.ok(main + later <= MAX_BYTES, `${main + later} bytes`);
  assert.deepEqual(files.filter((file) => !/^(app\.\w+|(config|sitemap|theme)\.js(on)?|(images|components|packages|pages|presentation|services)\/.*\.(js|json|wxml|wxss|png))$/.test(file)), []);
});

test('the main package requires nothing of a subpackage', () => {
  const later = project.json('app.json').subPackages.map(({ root }) => `${root}/`);
  const isLater = (file) => later.some((root) => file.startsWith(root));
  for (const file of project.list().filter((name) => name.endsWith('.js') && !isLater(name))) {
    for (const [, asked] of project.read(file).matchAll(/require\('(\.[^']*)'\)/g)) {
      assert.ok(!isLater(path.posix.join(path.posix.dirname(file), asked)), `${file} asks for ${asked}`);
    }
  }
});

test('every text has an English translation', () => {
  const { CATEGORIES } = require('../../presentation/questionTemplates');
  const tabs = project.json('app.json').tabBar.list.map(({ text }) => text);
  const texts = [...findTexts(), ...CATEGORIES.map(({ name }) => name), ...tabs];
  assert.deepEqual(texts.filter((text) => !english[text]), []);
  const names = (text) => (text.match(/\{\w+\}/g) || []).sort();
  for (const text of texts) assert.deepEqual(names(english[text]), names(text), text);
});

test('the words of a dialog have at most four characters, because WeChat refuses longer ones', () => {
  const words = project.list().filter((name) => name.endsWith('.js')).flatMap((file) => (
    Array.from(project.read(file).matchAll(/\b(?:yes|no|confirmText|cancelText): _\('([^']+)'\)/g), ([, text]) => text)
  ));
  assert.ok(words.length >= 10);
  assert.deepEqual(words.flatMap((text) => [text, english[text]]).filter((text) => text.length > 4), []);
});

test('every API of WeChat is known to the host, and a newer one than the oldest library is asked for first', () => {
  const oldest = project.json('project.config.json').libVersion.split('.').map(Number);
  for (const file of project.list().filter((name) => name.endsWith('.js'))) {
    const code = project.read(file);
    for (const [, name] of code.matchAll(/\bwx\.(\w+)\(/g)) {
      if (name === 'canIUse') continue;
      assert.ok(API_VERSIONS[name], `${file}: ${name} is not in tests/host/limits.js`);
      const since = API_VERSIONS[name].split('.').map(Number);
      const first = [0, 1, 2].find((index) => since[index] !== oldest[index]);
      const isNewer = first !== undefined && since[first] > oldest[first];
      assert.ok(!isNewer || code.includes(`canIUse('${name}')`), `${file}: ${name} is newer than the oldest library`);
    }
  }
});

test('each section of the report has its card, its data and its template on the web page, in the same order', () => {
  const sections = require('../../pages/report-v2/reportLabels')['zh-hans'].sections.map(({ id }) => id);
  const wxml = project.read('pages/report-v2/report-v2.wxml');
  const cards = Array.from(wxml.matchAll(/class="card" id="([\w-]+)"/g), ([, id]) => id);
  assert.deepEqual(cards, sections);
  const view = project.read('pages/report-v2/reportView.js');
  for (const id of sections) {
    assert.match(view, new RegExp(`^  '?${id}'?: \\(`, 'm'), `${id} has no data`);
    const template = path.join(ROOT, '..', 'templates', 'site', 'report', `${id.replace(/-/g, '_')}.html`);
    assert.match(fs.readFileSync(template, 'utf8'), /<h2 id="[\w-]+">\{\{ section\.title \}\}<\/h2>/, id);
  }
});

test('texts that the web page has too have the same translation', () => {
  const catalogue = fs.readFileSync(path.join(ROOT, '..', 'locale', 'en', 'LC_MESSAGES', 'djangojs.po'), 'utf8');
  for (const [, chinese, own] of catalogue.matchAll(/^msgid "(.+)"\nmsgstr "(.+)"$/gm)) {
    if (english[chinese]) assert.equal(english[chinese], own.replace(/\\"/g, '"'), chinese);
  }
});

test('the catalogue of the web page has exactly the texts of its modules', () => {
  const site = path.join(ROOT, '..', 'diagsite', 'static', 'site', 'js');
  const modules = fs.readdirSync(site, { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => path.join(site, name));
  const shared = ['presentation/format', 'presentation/platforms', 'pages/report-v2/stream/diagnosisText'].map((name) => path.join(ROOT, `${name}.js`));
  const texts = new Set(require('../../presentation/questionTemplates').CATEGORIES.map(({ name }) => name));
  for (const file of [...modules, ...shared]) {
    for (const [, , text] of fs.readFileSync(file, 'utf8').matchAll(/(?<![\w.])_\((["'])((?:(?!\1)[^\\]|\\.)*)\1/g)) texts.add(text);
  }
  const catalogue = fs.readFileSync(path.join(ROOT, '..', 'locale', 'en', 'LC_MESSAGES', 'djangojs.po'), 'utf8');
  const messages = Array.from(catalogue.matchAll(/^msgid "(.+)"$/gm), ([, text]) => text);
  assert.deepEqual(messages.sort(), [...texts].sort());
});

test('every image and colour of the theme exists, light and dark', () => {
  const theme = project.json('theme.json');
  assert.deepEqual(Object.keys(theme.dark), Object.keys(theme.light));
  const used = JSON.stringify(project.json('app.json')).match(/"@\w+"/g).map((name) => name.slice(2, -1));
  assert.deepEqual(used.filter((name) => !theme.light[name]), []);
  const pictures = [...Object.values(theme.light), ...Object.values(theme.dark)].filter((value) => value.endsWith('.png'));
  for (const picture of pictures) assert.ok(project.has(picture), picture);
});
