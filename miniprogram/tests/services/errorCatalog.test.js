'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { createErrorCatalog } = require('../../services/errorCatalog.js');
const { createStorage } = require('../support/storage.js');

/** The mutation test runs in a copy below the project's directory. */
const ROOT = module.paths.map((folder) => path.dirname(folder)).find((folder) => fs.existsSync(path.join(folder, 'errors', 'codes.py')));
const TEXTS = fs.readFileSync(['errors/messages/default_texts.py', 'errors/copy.py'].map((name) => path.join(ROOT, name)).find(fs.existsSync), 'utf8');
const PUBLISHED = {
  locale: 'zh-hans',
  errors: {
    NETWORK_ERROR: {
      title: '断网了', message: '缓一缓', suggestion: '', display: 'inline', icon: 'info', duration_ms: 0,
      action: { kind: 'go_home', label: '回去', params: { a: '1' } },
    },
  },
  codes: { NETWORK_ERROR: { status: 502, severity: 'warning', retryable: true, retry_after_ms: 2000 } },
};

function setUp({ storage = createStorage(), answer = { status: 500, body: null } } = {}) {
  const fixture = { sent: [], storage, answer };
  const http = {
    async send(request) {
      fixture.sent.push(request);
      if (fixture.answer instanceof Error) throw fixture.answer;
      return { headers: {}, ...fixture.answer };
    },
  };
  fixture.catalog = createErrorCatalog({ wx: storage, http });
  fixture.start = () => setUp({ storage, answer: fixture.answer });
  return fixture;
}

const published = (etag = '"e1"') => ({ status: 200, body: PUBLISHED, headers: { etag } });

test('the texts of a problem body are shown', () => {
  const { catalog } = setUp();
  assert.deepEqual(catalog.present({
    code: 'RATE_LIMITED', severity: 'warning', retry_after_ms: 2500, request_id: '0123456789abcdef', fields: { brand: '太长' },
    copy: {
      title: '慢一点', message: '话', suggestion: '{seconds} 秒后', display: 'inline', icon: 'info', duration_ms: 0,
      action: { kind: 'retry', label: '再来', params: { diagnosis: 'd1' } },
    },
  }), {
    code: 'RATE_LIMITED', title: '慢一点', message: '话', suggestion: '3 秒后', display: 'inline', icon: 'info', durationMs: 0,
    severity: 'warning', waitMs: 2500, action: { kind: 'retry', label: '再来', params: { diagnosis: 'd1' } },
    fields: { brand: '太长' }, reference: '01234567',
  });
});

test('a code without texts is shown in the default texts', () => {
  const { catalog } = setUp();
  assert.deepEqual(catalog.present({ code: 'NETWORK_ERROR' }), {
    code: 'NETWORK_ERROR', title: '网络连接失败', message: '暂时连不上服务，已有的结果都还在。', suggestion: '请检查网络后重试。',
    display: 'toast', icon: 'warning', durationMs: 3000, severity: 'error', waitMs: 0,
    action: { kind: 'retry', label: '重试', params: {} }, fields: {}, reference: '',
  });
  const failed = catalog.present({ code: 'DIAGNOSIS_FAILED' });
  assert.equal(failed.durationMs, 0);
  assert.deepEqual(failed.action, { kind: 'open_report', label: '查看部分结果', params: {} });
});

test('the problem of a rejected call is shown', () => {
  const { catalog } = setUp();
  assert.equal(catalog.present(Object.assign(new Error('x'), { problem: { code: 'CONFLICT' } })).title, '内容有冲突');
});

for (const thrown of [null, undefined, 'text', new Error('bug'), {}, { problem: {} }, { code: 4401 }]) {
  test(`any other thrown value (${thrown instanceof Error ? thrown : JSON.stringify(thrown)}) is an unknown error`, () => {
    const shown = setUp().catalog.present(thrown);
    assert.equal(shown.code, 'UNKNOWN_ERROR');
    assert.equal(shown.title, '出了点问题');
  });
}

test('an unknown code is shown as an unknown error and keeps its name', () => {
  const { catalog } = setUp();
  for (const code of ['BRAND_NEW', 'constructor']) {
    assert.equal(catalog.present({ code }).title, '出了点问题');
    assert.equal(catalog.present({ code }).code, code);
    assert.equal(catalog.present({ code }).severity, 'error');
  }
});

test('the texts of the server\'s catalogue replace and complete the default texts', async () => {
  const fixture = setUp({ answer: published() });
  await fixture.catalog.load();
  const shown = fixture.catalog.present({ code: 'NETWORK_ERROR' });
  assert.equal(shown.title, '断网了');
  assert.equal(shown.severity, 'warning');
  assert.deepEqual(shown.action, { kind: 'go_home', label: '回去', params: { a: '1' } });
  fixture.answer = { status: 200, body: { errors: { UNKNOWN_ERROR: { title: '怪事' } }, codes: {} } };
  await fixture.catalog.load();
  assert.equal(fixture.catalog.present({ code: 'BRAND_NEW' }).title, '怪事');
});

test('a problem body without texts gets those of its code', () => {
  const { catalog } = setUp();
  assert.equal(catalog.present({ code: 'FORBIDDEN', copy: {} }).title, '没有权限');
  assert.equal(catalog.present({ code: 'FORBIDDEN', severity: 'info' }).severity, 'info');
});

test('an unsupported display form or action is replaced by a supported one', () => {
  const { catalog } = setUp();
  const copy = { title: 't', display: 'hologram', action: { kind: 'teleport', label: '飞' } };
  const shown = catalog.present({ code: 'FORBIDDEN', copy });
  assert.equal(shown.display, 'modal');
  assert.deepEqual(shown.action, { kind: 'dismiss', label: '知道了', params: {} });
  assert.equal(shown.icon, 'warning');
  assert.equal(shown.message, '');
  assert.equal(catalog.present({ code: 'FORBIDDEN', copy: { title: 't' } }).action.kind, 'dismiss');
});

for (const display of ['toast', 'modal', 'page', 'inline']) {
  test(`the display form ${display} is kept`, () => {
    assert.equal(setUp().catalog.present({ code: 'FORBIDDEN', copy: { title: 't', display } }).display, display);
  });
}

test('an action without a label gets that of its code, else that of its kind', () => {
  const { catalog } = setUp();
  const label = (code, kind) => catalog.present({ code, copy: { title: 't', action: { kind } } }).action.label;
  assert.equal(label('AI_PLATFORM_ERROR', 'switch_platform'), '切换 AI 模型');
  assert.equal(label('AI_QUOTA_EXHAUSTED', 'switch_platform'), '切换平台');
  assert.equal(label('X', 'sign_in'), '重新登录');
  assert.equal(label('DATA_FORMAT_ERROR', 'retry'), '刷新');
});

test('placeholders are filled in, and unknown values have a fallback', () => {
  const { catalog } = setUp();
  const suggestion = (known, waitMs) => catalog.present({
    code: 'X', retry_after_ms: waitMs, copy: { title: 't', suggestion: '{platform}·{seconds}·{valid}/{planned}·{other}·{platform}' },
  }, known).suggestion;
  assert.equal(suggestion({ platform: '豆包', seconds: 4, valid: 0, planned: 12 }), '豆包·4·0/12·{other}·豆包');
  assert.equal(suggestion({ platform: '', seconds: null }), '该平台·几·部分/全部·{other}·该平台');
  assert.equal(suggestion(undefined, 1001), '该平台·2·部分/全部·{other}·该平台');
  const everywhere = catalog.present({
    code: 'X', copy: { title: '{valid}', message: '{planned}', action: { kind: 'retry', label: '{seconds}' } },
  }, { valid: 1, planned: 2, seconds: 3 });
  assert.deepEqual([everywhere.title, everywhere.message, everywhere.action.label], ['1', '2', '3']);
  assert.equal(catalog.present({ code: 'RATE_LIMITED' }).suggestion, '请在 几 秒后再试。');
});

test('the catalogue is loaded once and then revalidated by its ETag', async () => {
  const fixture = setUp({ answer: published() });
  await fixture.catalog.load();
  assert.deepEqual(fixture.sent, [{ path: '/api/errors', headers: {} }]);
  fixture.answer = { status: 304, body: null };
  await fixture.catalog.load();
  assert.deepEqual(fixture.sent[1].headers, { 'If-None-Match': '"e1"' });
  assert.equal(fixture.catalog.present({ code: 'NETWORK_ERROR' }).title, '断网了');
});

test('the catalogue is stored for starts without a server', async () => {
  const fixture = setUp({ answer: published() });
  await fixture.catalog.load();
  fixture.answer = new Error('no network');
  const later = fixture.start();
  assert.equal(await later.catalog.load(), undefined);
  assert.equal(later.catalog.present({ code: 'NETWORK_ERROR' }).title, '断网了');
  assert.deepEqual(later.sent[0].headers, { 'If-None-Match': '"e1"' });
});

for (const answer of [
  { status: 200, body: null }, { status: 200, body: { errors: {} } }, { status: 200, body: { codes: {} } }, { status: 500, body: PUBLISHED },
]) {
  test(`a response that is not a catalogue (${JSON.stringify(answer).slice(0, 50)}) changes nothing`, async () => {
    const fixture = setUp({ answer });
    await fixture.catalog.load();
    assert.equal(fixture.catalog.present({ code: 'NETWORK_ERROR' }).title, '网络连接失败');
    assert.equal(fixture.storage.stored.size, 0);
  });
}

test('a catalogue without an ETag is loaded in full again', async () => {
  const fixture = setUp({ answer: { status: 200, body: PUBLISHED } });
  await fixture.catalog.load();
  await fixture.catalog.load();
  assert.deepEqual(fixture.sent[1].headers, {});
  assert.equal(fixture.storage.stored.get('diag.errors').etag, '');
});

test('other data in the storage is ignored', () => {
  const storage = createStorage({ 'diag.errors': { etag: 'x', body: { errors: {} } } });
  assert.equal(setUp({ storage }).catalog.present({ code: 'NETWORK_ERROR' }).title, '网络连接失败');
});

test('without storage the catalogue is kept in memory', async () => {
  const broken = () => { throw new Error('storage'); };
  const fixture = setUp({ storage: { getStorageSync: broken, setStorageSync: broken }, answer: published() });
  await fixture.catalog.load();
  assert.equal(fixture.catalog.present({ code: 'NETWORK_ERROR' }).title, '断网了');
});

/** `C.CODE: Copy("title", "message", "suggestion")` of the Chinese half of the server's default texts. */
function readServerTexts() {
  const text = TEXTS.split('"en": {')[0];
  const copies = text.matchAll(/C\.(\w+): \w+\(\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",?\s*\)/g);
  return Array.from(copies, ([, code, ...texts]) => ({ code, texts }));
}

test('the default texts are the server\'s, for every code', () => {
  const { catalog } = setUp();
  const all = readServerTexts();
  assert.ok(all.length >= 20);
  for (const { code, texts } of all) {
    const shown = catalog.present({ code }, { seconds: '{seconds}' });
    assert.deepEqual([shown.title, shown.message, shown.suggestion], texts, code);
  }
});

test('display forms, actions and icons of the default texts are the server\'s', () => {
  const { catalog } = setUp();
  const codes = fs.readFileSync(path.join(ROOT, 'errors/codes.py'), 'utf8');
  const specs = Array.from(codes.matchAll(/_C\.(\w+): ErrorSpec\(\s*\d+,\s*_S\.(\w+),\s*\w+,\s*_D\.(\w+),\s*_A\.(\w+)/g));
  assert.equal(specs.length, readServerTexts().length);
  for (const [, code, severity, display, action] of specs) {
    const shown = catalog.present({ code });
    const [icon, ...rest] = [severity, display, action].map((name) => name.toLowerCase());
    assert.deepEqual([shown.icon, shown.display, shown.action.kind], [icon, ...rest], code);
    assert.equal(shown.durationMs, display === 'TOAST' ? 3000 : 0, code);
  }
});

test('the labels of actions are the server\'s', () => {
  const { catalog } = setUp();
  const labels = TEXTS.split('LABELS:')[1].split('"en"')[0];
  const kinds = Array.from(labels.matchAll(/A\.(\w+): "([^"]*)"/g));
  assert.equal(kinds.length, 7);
  for (const [, kind, label] of kinds) {
    const action = { kind: kind.toLowerCase() };
    assert.equal(catalog.present({ code: 'X', copy: { title: 't', action } }).action.label, label);
  }
});

test('the special labels of single codes are the server\'s', () => {
  const { catalog } = setUp();
  const labels = TEXTS.split('LABELS:')[1].split('"en"')[0];
  const ofCodes = Array.from(labels.matchAll(/C\.(\w+): "([^"]*)"/g));
  assert.equal(ofCodes.length, 4);
  for (const [, code, label] of ofCodes) assert.equal(catalog.present({ code }).action.label, label, code);
});
