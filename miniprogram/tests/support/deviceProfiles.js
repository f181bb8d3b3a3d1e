'use strict';

/**
 * What the kinds of WeChat clients send and do, as far as it is known: the handshake of a socket, the code with which a lost
 * connection is reported, whether its close event may never come, the widths of its windows, and its largest text. Developers
 * report several origins for one kind of client, so each kind has the one that is hardest to accept.
 */
const getReferer = (version) => `https://servicewechat.com/wx0000000000000000/${version}/page-frame.html`;

const PROFILES = {
  ios: {
    origin: (site) => `${site},undefined`,
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.68' },
    lostCode: 1006,
    closesSilently: true,
    widths: [320, 375, 430],
    maxFont: 25.5,
  },
  ipad: {
    origin: () => 'null',
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.68' },
    lostCode: 1006,
    closesSilently: true,
    widths: [768],
    maxFont: 29.75,
  },
  android: {
    origin: () => 'https://servicewechat.com',
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 MicroMessenger/8.0.68' },
    lostCode: 1000,
    closesSilently: false,
    widths: [360],
    maxFont: 24,
  },
  windows: {
    origin: () => 'file://',
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 MicroMessenger/7.0.20 MiniProgramEnv/Windows' },
    lostCode: 1001,
    closesSilently: false,
    widths: [414],
    maxFont: 16,
  },
  mac: {
    origin: () => undefined,
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) AppleWebKit/605.1.15 MicroMessenger/6.8.0 MiniProgramEnv/Mac' },
    lostCode: 1006,
    closesSilently: false,
    widths: [414],
    maxFont: 16,
  },
  ohos: {
    origin: () => 'weapp://wechat-game-runtime',
    headers: { Referer: getReferer(12), 'User-Agent': 'Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 ArkWeb/4.1 MicroMessenger/8.0.68' },
    lostCode: 0,
    closesSilently: false,
    widths: [360],
    maxFont: 24,
  },
  devtools: {
    origin: () => 'http://127.0.0.1:9974',
    headers: { Referer: getReferer('devtools'), 'User-Agent': 'Mozilla/5.0 wechatdevtools/1.06 MicroMessenger/8.0.5' },
    lostCode: 1006,
    closesSilently: false,
    widths: [375],
    maxFont: 16,
  },
};

module.exports = { PROFILES };
