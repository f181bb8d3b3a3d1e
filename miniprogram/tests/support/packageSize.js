'use strict';

/**
 * The size of the packages as WeChat counts it: of the uploaded files, minified as in project.config.json, uncompressed.
 * The main package and each subpackage have a limit of 2 MB. Styles and templates are minified a little less here than
 * by the devtools, so the real size is not larger.
 */
const fs = require('node:fs');
const path = require('node:path');
const { deflateRawSync } = require('node:zlib');
const postcss = require('postcss');
const { minify } = require('terser');

const ROOT = path.join(__dirname, '..', '..');
const read = (file) => fs.readFileSync(path.join(ROOT, file));
const json = (file) => JSON.parse(read(file));

const RULES = {
  folder: (file, value) => file.startsWith(`${value}/`),
  file: (file, value) => file === value,
  suffix: (file, value) => file.endsWith(value),
  regexp: (file, value) => new RegExp(value).test(file),
};

/** The uploaded files, by the rules of project.config.json, which is not uploaded itself. */
function uploadedFiles() {
  const { packOptions: { ignore } } = json('project.config.json');
  return fs.readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath || entry.path, entry.name)))
    .filter((file) => file !== 'project.config.json' && !ignore.some(({ type, value }) => RULES[type](file, value)));
}

function minifyStyle(text) {
  const root = postcss.parse(text);
  root.walkComments((comment) => comment.remove());
  root.walk((node) => {
    Object.assign(node.raws, { before: '', between: node.type === 'decl' ? ':' : '', after: '', semicolon: false, afterName: ' ' });
    if (node.type === 'rule') node.selector = node.selector.replace(/,\s+/g, ',');
  });
  Object.assign(root.raws, { after: '' });
  return root.toString();
}

const MINIFIERS = {
  // The devtools wrap each file in a function before minifying, so top-level names are shortened too.
  '.js': async (text) => (await minify(text, { toplevel: true })).code,
  '.json': (text) => JSON.stringify(JSON.parse(text)),
  '.wxss': minifyStyle,
  '.wxml': (text) => text.replace(/<!--[\s\S]*?-->/g, '').replace(/>\s+</g, '><').trim(),
};

async function uploaded(file) {
  const content = read(file);
  const minifier = MINIFIERS[path.extname(file)];
  return minifier ? Buffer.from(await minifier(content.toString())) : content;
}

/**
 * Return bytes: of the `main` package, the `later` (sub)packages, the `largest` package, the `download` (all, deflated) and
 * the `source`; and the names of the `files`. Throw when project.config.json has other settings than those measured.
 */
async function measurePackage() {
  const { minified, minifyWXSS, minifyWXML, es6, enhance, postcss: prefixes } = json('project.config.json').setting;
  if (![minified, minifyWXSS, minifyWXML].every(Boolean) || [es6, enhance, prefixes].some(Boolean)) {
    throw new Error('project.config.json has other settings than those that are measured');
  }
  const roots = (json('app.json').subPackages || []).map(({ root }) => `${root}/`);
  const sizes = { main: 0 };
  const sum = { download: 0, source: 0 };
  const files = uploadedFiles();
  for (const file of files) {
    const content = await uploaded(file);
    const packageName = roots.find((root) => file.startsWith(root)) || 'main';
    sizes[packageName] = (sizes[packageName] || 0) + content.length;
    sum.download += deflateRawSync(content).length;
    sum.source += read(file).length;
  }
  const all = Object.values(sizes).reduce((total, size) => total + size, 0);
  return { main: sizes.main, later: all - sizes.main, largest: Math.max(...Object.values(sizes)), ...sum, files };
}

module.exports = { measurePackage };
