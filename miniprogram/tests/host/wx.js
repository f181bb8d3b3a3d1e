/**
 * The `wx` of the host: the browser's fetch, WebSocket and storage with the platform's signatures and limits. Tests read
 * and change its state in `__host.wx`.
 */
(function () {
  'use strict';

  // On the platform, timers can be called without `this`.
  for (const name of ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']) window[name] = window[name].bind(window);

  const MAX_SOCKETS = 5;
  const MAX_REQUESTS = 10;
  const site = { env: 'develop', fontSize: 16, subscribe: 'accept', asked: [], toasts: [], modals: [], confirm: true, sheets: [], tapIndex: 0, sockets: 0, requests: 0, opened: 0, isOffline: false, violations: [] };
  window.__host.wx = site;
  const networkListeners = [];
  const addViolation = (text) => { site.violations.push(text); };
  const later = (run) => setTimeout(run, 0);

  /** Call back as the platform does: after the call has returned, `complete` last. */
  function answer(options, name, value) {
    const { success, complete } = options || {};
    const result = Object.assign({ errMsg: `${name}:ok` }, value);
    later(() => { if (success) success(result); if (complete) complete(result); });
    return success || complete || (options && options.fail) ? undefined : Promise.resolve(result);
  }

  function request(options) {
    if (site.requests >= MAX_REQUESTS) addViolation('more than 10 requests at once');
    site.requests += 1;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), options.timeout || 60000);
    const body = options.data === undefined ? undefined : typeof options.data === 'string' ? options.data : JSON.stringify(options.data);
    let settle = (name, value) => {
      site.requests -= 1;
      clearTimeout(timer);
      if (options[name]) options[name](value);
      if (options.complete) options.complete(value);
      settle = () => {};
    };
    if (site.isOffline) {
      later(() => settle('fail', { errMsg: 'request:fail net::ERR_INTERNET_DISCONNECTED' }));
      return { abort() {} };
    }
    const header = new window.Headers({ 'Content-Type': 'application/json' });
    Object.keys(options.header || {}).forEach((name) => header.set(name, options.header[name]));
    const get = !options.method || options.method === 'GET';
    fetch(options.url, { method: options.method || 'GET', headers: header, body: get ? undefined : body, signal: controller.signal, credentials: 'omit', cache: 'no-store' })
      .then(async (response) => {
        const text = await response.text();
        let data = text;
        try { data = JSON.parse(text); } catch (error) { /* not JSON: return the text, as the platform does */ }
        settle('success', { statusCode: response.status, data, header: Object.fromEntries(response.headers), errMsg: 'request:ok' });
      })
      .catch((error) => settle('fail', { errMsg: `request:fail ${error.message}` }));
    return { abort: () => controller.abort() };
  }

  function connectSocket(options) {
    if (site.sockets >= MAX_SOCKETS) addViolation('more than 5 sockets at once');
    site.sockets += 1;
    site.opened += 1;
    const socket = new WebSocket(options.url);
    const listeners = {};
    const on = (name) => (run) => { listeners[name] = run; };
    const emit = (name, value) => { if (listeners[name]) listeners[name](value); };
    socket.onopen = () => emit('open', { header: {} });
    socket.onmessage = (event) => emit('message', { data: event.data });
    socket.onerror = () => emit('error', { errMsg: 'socket error' });
    socket.onclose = (event) => { site.sockets -= 1; emit('close', { code: event.code, reason: event.reason }); };
    if (options.success) later(() => options.success({ errMsg: 'connectSocket:ok' }));
    return {
      onOpen: on('open'), onMessage: on('message'), onClose: on('close'), onError: on('error'),
      send({ data, fail }) {
        if (socket.readyState === WebSocket.OPEN) socket.send(data);
        else if (fail) fail({ errMsg: 'sendSocketMessage:fail readyState is not OPEN' });
      },
      close({ code, fail } = {}) {
        if (socket.readyState > WebSocket.OPEN) { if (fail) fail({ errMsg: 'closeSocket:fail taskID not exist' }); return; }
        socket.close(code === 1000 || code >= 3000 ? code : 1000);
      },
    };
  }

  function getStorageSync(key) {
    const text = localStorage.getItem(key);
    return text === null ? '' : JSON.parse(text);
  }

  const go = (name) => (options) => {
    const failure = window.__host.go(name, options && options.url, options && options.delta);
    if (failure) {
      if (options && options.fail) later(() => options.fail({ errMsg: `${name}:fail ${failure}` }));
      else addViolation(`${name}: ${failure}`);
      return undefined;
    }
    return answer(options, name);
  };

  const theme = () => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

  window.wx = {
    request,
    connectSocket,
    getStorageSync,
    setStorageSync: (key, value) => localStorage.setItem(key, JSON.stringify(value)),
    removeStorageSync: (key) => localStorage.removeItem(key),
    canIUse: (name) => name.split('.')[0] in window.wx,
    login: (options) => answer(options, 'login', { code: 'code-of-the-host' }),
    getAccountInfoSync: () => ({ miniProgram: { envVersion: site.env, version: '', appId: 'wx0000000000000000' } }),
    getAppBaseInfo: () => ({ language: site.language || 'zh_CN', theme: theme(), fontSizeSetting: site.fontSize, SDKVersion: '3.0.0' }),
    getSystemInfoSync: () => ({ language: site.language || 'zh_CN', theme: theme(), fontSizeSetting: site.fontSize, SDKVersion: '3.0.0' }),
    getNetworkType: (options) => answer(options, 'getNetworkType', { networkType: site.isOffline ? 'none' : 'wifi' }),
    onNetworkStatusChange: (run) => { networkListeners.push(run); },
    offNetworkStatusChange: (run) => {
      const index = networkListeners.indexOf(run);
      if (index >= 0) networkListeners.splice(index, 1);
    },
    navigateTo: go('navigateTo'), redirectTo: go('redirectTo'), reLaunch: go('reLaunch'), switchTab: go('switchTab'), navigateBack: go('navigateBack'),
    setNavigationBarTitle: (options) => { window.__host.setTitle(options.title); return answer(options, 'setNavigationBarTitle'); },
    setTabBarItem: (options) => { window.__host.setTab(options.index, options.text); return answer(options, 'setTabBarItem'); },
    stopPullDownRefresh: () => {},
    pageScrollTo(options) {
      const scroller = document.querySelector('.host-page:not(.is-behind)');
      const element = options.selector ? scroller.querySelector(options.selector) : null;
      const offset = (options.offsetTop || 0) - scroller.getBoundingClientRect().top;
      scroller.scrollTop = element ? scroller.scrollTop + element.getBoundingClientRect().top + offset : options.scrollTop;
      return answer(options, 'pageScrollTo');
    },
    showToast: (options) => { site.toasts.push(options.title); return answer(options, 'showToast'); },
    showModal: (options) => {
      site.modals.push(options);
      return answer(options, 'showModal', { confirm: site.confirm, cancel: !site.confirm });
    },
    showActionSheet: (options) => {
      site.sheets.push(options.itemList);
      return answer(options, 'showActionSheet', { tapIndex: site.tapIndex });
    },
    setClipboardData: (options) => { site.clipboard = options.data; return answer(options, 'setClipboardData'); },
    nextTick: later,
    requestSubscribeMessage(options) {
      if (!window.__host.isInTap()) addViolation('requestSubscribeMessage outside of a tap');
      site.asked.push(options.tmplIds);
      return answer(options, 'requestSubscribeMessage', { [options.tmplIds[0]]: site.subscribe });
    },
  };

  site.setOffline = (isOffline) => {
    site.isOffline = isOffline;
    networkListeners.slice().forEach((run) => run({ isConnected: !isOffline, networkType: isOffline ? 'none' : 'wifi' }));
  };
})();
