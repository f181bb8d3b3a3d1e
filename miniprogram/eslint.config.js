'use strict';

const { builtinModules } = require('node:module');

/** Globals that the engine of a mini-program lacks, or has only in the devtools. */
const BROWSER_ONLY = [
  'window', 'document', 'fetch', 'WebSocket', 'globalThis', 'self', 'localStorage', 'sessionStorage', 'navigator',
  'location', 'XMLHttpRequest', 'EventSource', 'process', 'Buffer', 'eval', 'Function',
];
const readonly = (...names) => Object.fromEntries(names.map((name) => [name, 'readonly']));
const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'];

const rules = {
  'array-callback-return': 'error',
  'complexity': ['error', 13], // && and || count too
  'consistent-return': 'off',
  'eqeqeq': 'error',
  'max-depth': ['error', 3],
  'no-cond-assign': 'error',
  'no-const-assign': 'error',
  'no-dupe-args': 'error',
  'no-dupe-keys': 'error',
  'no-empty': 'error',
  'no-ex-assign': 'error',
  'no-fallthrough': 'error',
  'no-func-assign': 'error',
  'no-implicit-globals': 'error',
  'no-promise-executor-return': 'off',
  'no-redeclare': 'error',
  'no-self-assign': 'error',
  'no-self-compare': 'error',
  'no-shadow': 'error',
  'no-throw-literal': 'error',
  'no-undef': 'error',
  'no-unreachable': 'error',
  'no-unused-expressions': 'error',
  'no-unused-vars': ['error', { caughtErrors: 'none' }],
  'no-use-before-define': ['error', { functions: false, variables: false }],
  'no-var': 'error',
  'prefer-const': ['error', { destructuring: 'all' }],
  'valid-typeof': 'error',
};

module.exports = [
  { ignores: ['node_modules/', 'reports/', '.stryker-tmp/', '**/dist/'] },
  {
    files: ['**/*.js'],
    ignores: ['tests/**', 'bench/**', 'release/**', '*.config.js'],
    languageOptions: {
      ecmaVersion: 2017, // uploaded without transpiling
      sourceType: 'commonjs',
      globals: readonly('wx', 'App', 'Page', 'Component', 'Behavior', 'getApp', 'getCurrentPages', 'console', 'Promise', ...TIMERS),
    },
    rules: {
      ...rules,
      'no-restricted-globals': ['error', ...BROWSER_ONLY],
      'no-restricted-modules': ['error', ...builtinModules],
      'no-restricted-properties': ['error',
        ...['onSocketOpen', 'onSocketMessage', 'onSocketClose', 'onSocketError', 'sendSocketMessage', 'closeSocket'].map((property) => (
          { object: 'wx', property, message: 'Use the SocketTask that connectSocket returns.' }
        ))],
    },
  },
  {
    files: ['services/**', 'pages/report-v2/stream/**'],
    rules: { 'max-lines-per-function': 'off', 'no-console': 'error' },
  },
  {
    // Other browser globals are passed in as `root`.
    files: ['services/transports/browser.js'],
    languageOptions: { globals: readonly('AbortController') },
  },
  {
    files: ['tests/**/*.js', 'bench/**/*.js', 'release/**/*.js', '*.config.js'],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: 'commonjs',
      globals: readonly(
        'process', 'Buffer', 'URL', 'URLSearchParams', 'performance', 'queueMicrotask', 'setImmediate', 'console',
        'AbortController', '__dirname', '__filename', 'fetch', 'Response', 'structuredClone', 'window', 'document', 'globalThis', ...TIMERS,
      ),
    },
    rules,
  },
  {
    // Run in Chromium and jsdom.
    files: ['tests/host/**/*.js', 'tests/pages/**/*.js'],
    languageOptions: {
      globals: readonly(
        'WebSocket', 'localStorage', 'location', 'matchMedia', 'requestAnimationFrame', 'scrollY', 'TextEncoder', 'Event',
        'CustomEvent', 'HTMLElement', 'getComputedStyle', 'navigator', 'MutationObserver', 'innerWidth', 'innerHeight',
      ),
    },
    rules: { complexity: 'off' },
  },
];
