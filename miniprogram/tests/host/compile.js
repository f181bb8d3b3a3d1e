'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { TmplGroup } = require('glass-easel-template-compiler');
const postcss = require('postcss');
const selectors = require('postcss-selector-parser');
const builtins = require('./builtins');
const limits = require('./limits');

const BUILTIN_TAG = new RegExp(`<(/?)(${Object.keys(builtins).join('|')})(?=[\\s>/])`, 'g');
const BUILTIN_PATH = 'host/';
const NOT_SHIPPED = /^(node_modules|miniprogram_npm|tests|release|services\/transports\/browser\.js)/;

/** Access to the files of a mini-program. */
function openProject(root) {
  const at = (file) => path.join(root, file);
  const has = (file) => fs.existsSync(at(file));
  const read = (file) => fs.readFileSync(at(file), 'utf8');
  const json = (file) => (has(file) ? JSON.parse(read(file)) : {});
  function list(folder = '') {
    return fs.readdirSync(at(folder), { withFileTypes: true }).flatMap((entry) => {
      const file = path.posix.join(folder, entry.name);
      if (NOT_SHIPPED.test(file)) return [];
      return entry.isDirectory() ? list(file) : [file];
    });
  }
  return { has, read, json, list, at };
}

const resolve = (from, to) => (to.startsWith('/') ? to.slice(1) : path.posix.join(path.posix.dirname(from), to));

/** The styles of a file with those that it imports in their place. */
function readStyles(project, file) {
  return project.read(file).replace(/@import "([^"]+)";/g, (whole, target) => readStyles(project, resolve(file, target)));
}

/** Convert WXSS to CSS: rpx, `page` and the names of built-in components; classes get the scope of their component. */
function toCss(source, file, scope) {
  const inRule = (rule) => {
    if (rule.parent.type === 'atrule' && /keyframes$/.test(rule.parent.name)) return;
    rule.selector = selectors((tree) => {
      if (scope) tree.walkClasses((name) => { name.value = `${scope}--${name.value}`; });
      tree.walkTags((tag) => {
        if (tag.value === 'page') tag.value = '.host-page';
        else if (builtins[tag.value]) tag.value = `wx-${tag.value}`;
      });
    }).processSync(rule.selector);
  };
  const plugin = {
    postcssPlugin: 'wxss',
    Once(root) {
      root.walkDecls((declaration) => {
        declaration.value = declaration.value.replace(/(-?[\d.]+)rpx/g, (_, n) => `calc(100vw * ${n} / 750)`);
      });
      root.walkRules(inRule);
    },
  };
  return postcss([plugin]).process(source, { from: file }).css;
}

/** Return the problems of all templates as `file:line:column message`. */
function templateProblems(root) {
  const project = openProject(root);
  return project.list().filter((file) => file.endsWith('.wxml')).flatMap((file) => {
    const found = new TmplGroup().addTmpl(file, project.read(file)) || [];
    return Array.from(found, (problem) => `${file}:${problem.startLine}:${problem.startColumn} ${problem.message}`);
  });
}

/** app.json with the pages of the subpackages in `pages`. */
function readAppConfig(project) {
  const app = project.json('app.json');
  const later = (app.subPackages || []).flatMap(({ root, pages }) => pages.map((page) => path.posix.join(root, page)));
  return { ...app, pages: [...app.pages, ...later] };
}

/** The pages and components that app.json reaches, each with its template, style and configuration. */
function collect(project) {
  const app = readAppConfig(project);
  const group = new TmplGroup();
  const parts = new Map();
  const added = new Set();

  function addTemplate(file) {
    if (added.has(file) || !project.has(`${file}.wxml`)) return;
    added.add(file);
    group.addTmpl(file, project.read(`${file}.wxml`).replace(BUILTIN_TAG, '<$1wx-$2'));
    for (const other of group.getDirectDependencies(file)) addTemplate(other);
    for (const script of group.getScriptDependencies(file)) {
      const name = script.endsWith('.wxs') ? script : `${script}.wxs`;
      group.addScript(script, project.read(name));
    }
  }

  function visit(name) {
    if (parts.has(name)) return;
    const own = project.json(`${name}.json`);
    const usingComponents = {};
    for (const tag of Object.keys(builtins)) usingComponents[`wx-${tag}`] = `/${BUILTIN_PATH}${tag}`;
    const used = Object.entries({ ...app.usingComponents, ...own.usingComponents });
    for (const [tag, target] of used) usingComponents[tag] = `/${resolve(name, target)}`;
    const scope = own.component ? name.replace(/\W/g, '-') : undefined;
    const style = project.has(`${name}.wxss`) ? toCss(readStyles(project, `${name}.wxss`), `${name}.wxss`, scope) : '';
    parts.set(name, { config: { ...own, usingComponents }, scope, style });
    addTemplate(name);
    for (const [, target] of used) visit(resolve(name, target));
  }

  for (const [tag, builtin] of Object.entries(builtins)) group.addTmpl(BUILTIN_PATH + tag, builtin.wxml);
  app.pages.forEach(visit);
  return { app, parts, templates: group.getTmplGenObjectGroups() };
}

const asScript = (text) => text.replace(/<\/script/gi, '<\\/script');
const asModules = (entries) => entries.map(([name, code]) => `${JSON.stringify(name)}:function(require,module,exports){${code}\n}`).join(',\n');

function libraries() {
  return ['glass-easel', 'glass-easel-miniprogram-adapter'].map((name) => {
    // The packages do not export their package.json, so locate the main file.
    const main = require.resolve(name);
    const whole = path.join(path.dirname(main), 'glass_easel.all.js');
    return [name, fs.readFileSync(name === 'glass-easel' && fs.existsSync(whole) ? whole : main, 'utf8')];
  });
}

/** Compile the mini-program to one HTML page. */
function compile(root) {
  const project = openProject(root);
  const { app, parts, templates } = collect(project);
  const files = project.list();
  const modules = files.filter((file) => file.endsWith('.js')).map((file) => [file, project.read(file)]);
  const images = {};
  for (const file of files.filter((name) => name.endsWith('.png'))) {
    images[file] = `data:image/png;base64,${fs.readFileSync(project.at(file)).toString('base64')}`;
  }
  const here = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8');
  const input = { app, theme: project.json('theme.json'), parts: [...parts], builtins, images, limits };
  return `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<style>${here('base.css')}${app.style === 'v2' ? here('v2.css') : ''}</style>
<style>${project.has('app.wxss') ? toCss(project.read('app.wxss'), 'app.wxss') : ''}</style>
</head><body>
<script>window.__host = { input: ${asScript(JSON.stringify(input))} };</script>
<script>
__host.libraries = {${asScript(asModules(libraries()))}};
__host.modules = {${asScript(asModules(modules))}};
__host.templates = ${asScript(templates)};
</script>
<script>${asScript(here('wx.js'))}</script>
<script>${asScript(here('runtime.js'))}</script>
</body></html>`;
}

module.exports = { compile, templateProblems, openProject };

if (require.main === module) {
  const problems = templateProblems(path.join(__dirname, '..', '..'));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length ? 1 : 0;
}
