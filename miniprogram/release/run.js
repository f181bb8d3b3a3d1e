'use strict';

/** Compiles, previews and uploads the mini-program with WeChat's miniprogram-ci, which it installs on its first use. */
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { parseArgs } = require('node:util');
const { checkSetup } = require('./setup');
const config = require('../config');
const projectConfig = require('../project.config.json');

const ROOT = path.join(__dirname, '..');
const MAX_ROBOT = 30;
/** What WeChat would say of the account: the limits of packages, in MB, and of pages. */
const OFFLINE_ATTRIBUTES = {
  platform: false,
  appType: 0,
  isSandbox: false,
  released: false,
  setting: {
    MaxCodeSize: 2,
    MaxSubpackageSubCodeSize: 2,
    MaxSubpackageFullCodeSize: 30,
    NavigateMiniprogramLimit: 10,
    MaxSubPackageLimit: 100,
    MinTabbarCount: 2,
    MaxTabbarCount: 5,
    MaxCustomTabbarCount: 10,
    MaxTabbarIconSize: 40,
  },
};
const HELP = `node release/run.js compile | preview | upload

  compile   compile as WeChat does and check every JSON file, without network, account or key
  preview   a QR code (release/preview.jpg) that opens the version on the phones of the project's members
  upload    upload as a development version, which the console then offers for review

  --desc TEXT     what has changed; default: the subject of the latest commit
  --robot N       which of the 30 uploaders the console shows; default 1
  --server URL    preview only: open it with a development site, such as http://192.168.1.5:8765
  --key FILE      the upload key of the console (开发管理 › 开发设置 › 小程序代码上传); default: the environment variable
                  MINIPROGRAM_KEY, else release/private.key. The console must also allow this machine's IP address

npm run compile, npm run preview -- --desc "…" and npm run upload -- --desc "…" do the same.`;

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

function loadCi() {
  const folder = path.join(__dirname, 'node_modules', 'miniprogram-ci');
  if (!fs.existsSync(folder)) {
    console.log('installing miniprogram-ci, once');
    execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: __dirname, stdio: 'inherit' });
  }
  return require(folder);
}

/** Exit unless config.js is complete. */
function requireSetup() {
  const { missing, errors } = checkSetup(config, projectConfig);
  const problems = [...errors, ...missing.map((name) => `config.js: ${name} is empty`)];
  if (problems.length) fail(`nothing was uploaded.\n  ${problems.join('\n  ')}`);
}

/** @param {string | undefined} named */
function findKey(named) {
  const file = path.resolve(named || process.env.MINIPROGRAM_KEY || path.join(__dirname, 'private.key'));
  if (!fs.existsSync(file)) fail(`the upload key ${file} does not exist; see --help`);
  return file;
}

const getIgnoredFiles = () => projectConfig.packOptions.ignore
  .filter(({ type }) => type === 'folder').map(({ value }) => `${value}/**/*`);

/** @param {any} ci  @param {object} access  how to sign requests, or what replaces them */
const openProject = (ci, access) => new ci.Project({
  appid: config.APP_ID || projectConfig.appid,
  type: 'miniProgram',
  projectPath: ROOT,
  ignores: getIgnoredFiles(),
  ...access,
});

const getLatestSubject = () => execFileSync('git', ['log', '-1', '--format=%s'], { cwd: ROOT, encoding: 'utf8' }).trim();

/** WeChat's compiler and its schemas of the JSON files; it throws for what WeChat would refuse. */
async function compile() {
  const ci = loadCi();
  const project = openProject(ci, { privateKey: 'not used offline', attr: async () => OFFLINE_ATTRIBUTES });
  const print = console.log;
  console.log = () => {}; // its progress
  const files = Object.entries(await ci.getCompiledResult({ project, setting: { useProjectConfig: true } }));
  console.log = print;
  const bytes = files.reduce((sum, [, content]) => sum + Buffer.byteLength(content), 0);
  const packed = files.map(([name]) => name).filter((name) => /^(tests|release|node_modules|typings)\//.test(name));
  if (packed.length) fail(`would be uploaded: ${packed.join(', ')}`);
  console.log(`compiled: ${files.length} files, ${(bytes / 1000).toFixed(1)} kB`);
}

async function publish(kind, { desc, robot, server, key }) {
  requireSetup();
  const ci = loadCi();
  const options = {
    project: openProject(ci, { privateKeyPath: findKey(key) }),
    version: config.VERSION,
    desc: desc || getLatestSubject(),
    setting: { useProjectConfig: true },
    robot: Number(robot),
    onProgressUpdate: () => {},
  };
  if (kind === 'upload') {
    const { subPackageInfo } = await ci.upload(options);
    for (const { name, size } of subPackageInfo || []) console.log(`${name}: ${(size / 1000).toFixed(1)} kB`);
    console.log(`uploaded ${config.VERSION}. Next: docs/operations/miniprogram-release.zh.md`);
    return;
  }
  const query = server ? { searchQuery: `server=${encodeURIComponent(server)}` } : {};
  const qrcodeOutputDest = path.join(__dirname, 'preview.jpg');
  await ci.preview({ ...options, qrcodeFormat: 'image', qrcodeOutputDest, pagePath: 'pages/overview/overview', ...query });
  console.log(`scan ${qrcodeOutputDest}`);
}

function readArguments() {
  const text = { type: 'string' };
  try {
    return parseArgs({
      allowPositionals: true,
      options: { desc: text, robot: { ...text, default: '1' }, server: text, key: text, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    return fail(`${error.message}\n\n${HELP}`);
  }
}

async function main() {
  const { values, positionals: [command, ...rest] } = readArguments();
  if (values.help) {
    console.log(HELP);
    return;
  }
  if (rest.length || !['compile', 'preview', 'upload'].includes(command)) fail(`compile, preview or upload?\n\n${HELP}`);
  if (!(Number(values.robot) >= 1 && Number(values.robot) <= MAX_ROBOT)) fail('--robot must be 1 to 30');
  if (command === 'compile') await compile();
  else await publish(command, values);
}

// Its workers would keep the process alive.
main().then(() => process.exit(), (error) => fail(error.message || String(error)));
