/**
 * The `wx` of the host: the browser's fetch, WebSocket and storage with the platform's signatures and limits. Tests read
 * and change its state in `__host.wx`.
 */
(function () {
  'use strict';

  const MAX_SOCKETS = 5;
  const MAX_REQUESTS = 10;
  const { API_VERSIONS, REQUEST_METHODS, MAX_MODAL_BUTTON, MAX_TOAST_WITH_ICON, MAX_SHEET_ITEMS, FREEZE_AFTER_MS } = window.__host.input.limits;
  const wanted = new URLSearchParams(location.search);
  const site = {
    env: wanted.get('env') || 'develop',
    platform: wanted.get('platform') || 'devtools',
    libVersion: wanted.get('lib') || '3.0.0',
    fontSize: Number(wanted.get('font')) || 16,
    language: wanted.get('language') || 'zh_CN',
    // Late view updates: the shortest and the longest delay.
    lag: (wanted.get('lag') || '30,120').split(',').map(Number),
    subscribe: 'accept', asked: [], toasts: [], modals: [], confirm: true, sheets: [], tapIndex: 0,
    sockets: 0, requests: 0, opened: 0, isOffline: false, isFrozen: false, violations: [],
    // Names of APIs whose callbacks never come.
    silent: [],
    // How often each API was called.
    calls: {},
    closesSilently: wanted.get('closesSilently') === '1',
  };
  window.__host.wx = site;
  const networkListeners = [];
  const inFlight = new Set();
  const openSockets = new Set();
  const addViolation = (text) => { site.violations.push(text); };

  // ---- Suspension: some seconds after the app was hidden, timers and callbacks wait until it is shown.
  const delayed = [];
  const native = {};
  for (const name of ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']) native[name] = window[name].bind(window);
  const unlessFrozen = (run) => (...args) => {
    if (site.isFrozen) delayed.push(() => run(...args));
    else run(...args);
  };
  // On the platform, timers can be called without `this`.
  // Tests of time limits let the timers run faster.
  window.setTimeout = (run, ms, ...args) => native.setTimeout(unlessFrozen(run), ms / (window.__host.speed || 1), ...args);
  window.setInterval = (run, ms, ...args) => native.setInterval(unlessFrozen(run), ms, ...args);
  window.clearTimeout = native.clearTimeout;
  window.clearInterval = native.clearInterval;
  let freezing;
  site.freeze = () => {
    inFlight.forEach((interrupt) => interrupt());
    openSockets.forEach((drop) => drop());
    site.isFrozen = true;
  };
  site.suspendLater = () => { freezing = native.setTimeout(site.freeze, FREEZE_AFTER_MS); };
  site.resume = () => {
    native.clearTimeout(freezing);
    site.isFrozen = false;
    delayed.splice(0).forEach((run) => run());
  };

  const later = (run) => native.setTimeout(unlessFrozen(run), 0);

  /** Call back as the platform does: after the call has returned, `complete` last. */
  function settle(options, name, isOk, value) {
    const { success, fail, complete } = options || {};
    if (site.silent.includes(name)) return undefined;
    later(() => {
      if (isOk && success) success(value);
      if (!isOk && fail) fail(value);
      if (complete) complete(value);
    });
    if (success || fail || complete) return undefined;
    return isOk ? Promise.resolve(value) : Promise.reject(new Error(value.errMsg));
  }
  const answer = (options, name, value) => settle(options, name, true, Object.assign({ errMsg: `${name}:ok` }, value));
  function refuse(options, name, reason) {
    if (!options || (!options.fail && !options.complete)) addViolation(`${name}:fail ${reason}`);
    return settle(Object.assign({ fail() {} }, options), name, false, { errMsg: `${name}:fail ${reason}` });
  }

  function request(options) {
    if (site.requests >= MAX_REQUESTS) addViolation('more than 10 requests at once');
    if (!REQUEST_METHODS.includes(options.method || 'GET')) addViolation(`request: the method ${options.method} is not supported`);
    site.requests += 1;
    const controller = new AbortController();
    const timer = native.setTimeout(() => controller.abort(), options.timeout || 60000);
    const body = options.data === undefined ? undefined : typeof options.data === 'string' ? options.data : JSON.stringify(options.data);
    let isSettled = false;
    const finish = unlessFrozen((name, value) => {
      if (options[name]) options[name](value);
      if (options.complete) options.complete(value);
    });
    const end = (name, value) => {
      if (isSettled) return;
      isSettled = true;
      site.requests -= 1;
      native.clearTimeout(timer);
      inFlight.delete(interrupt);
      if (!site.silent.includes('request')) finish(name, value);
    };
    const interrupt = () => {
      delayed.push(() => end('fail', { errMsg: 'request:fail interrupted' }));
      controller.abort();
    };
    if (site.isOffline) {
      later(() => end('fail', { errMsg: 'request:fail net::ERR_INTERNET_DISCONNECTED' }));
      return { abort() {} };
    }
    inFlight.add(interrupt);
    const header = new window.Headers({ 'Content-Type': 'application/json' });
    Object.keys(options.header || {}).forEach((name) => header.set(name, options.header[name]));
    const get = !options.method || options.method === 'GET';
    fetch(options.url, { method: options.method || 'GET', headers: header, body: get ? undefined : body, signal: controller.signal, credentials: 'omit', cache: 'no-store' })
      .then(async (response) => {
        const text = await response.text();
        let data = text;
        try { data = JSON.parse(text); } catch (error) { /* not JSON: return the text, as the platform does */ }
        end('success', { statusCode: response.status, data, header: Object.fromEntries(response.headers), errMsg: 'request:ok' });
      })
      .catch((error) => { if (!site.isFrozen) end('fail', { errMsg: `request:fail ${error.message}` }); });
    return { abort: () => controller.abort() };
  }

  function connectSocket(options) {
    if (site.sockets >= MAX_SOCKETS) addViolation('more than 5 sockets at once');
    site.sockets += 1;
    site.opened += 1;
    const socket = new WebSocket(options.url);
    const listeners = {};
    const on = (name) => (run) => { listeners[name] = run; };
    const emit = unlessFrozen((name, value) => { if (listeners[name]) listeners[name](value); });
    let isDropped = false;
    const drop = () => {
      isDropped = true;
      socket.close();
      if (!site.closesSilently) delayed.push(() => emit('close', { code: 1006, reason: 'interrupted' }));
    };
    openSockets.add(drop);
    socket.onopen = () => emit('open', { header: {} });
    socket.onmessage = (event) => emit('message', { data: event.data });
    socket.onerror = () => emit('error', { errMsg: 'socket error' });
    socket.onclose = (event) => {
      site.sockets -= 1;
      openSockets.delete(drop);
      if (!isDropped) emit('close', { code: event.code, reason: event.reason });
    };
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
    return failure ? refuse(options, name, failure) : answer(options, name);
  };

  const theme = () => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  const appInfo = () => ({ language: site.language, theme: theme(), fontSizeSetting: site.fontSize, SDKVersion: site.libVersion });
  const windowInfo = () => ({ windowWidth: innerWidth, windowHeight: innerHeight, pixelRatio: 2 });

  const currentScroller = () => document.querySelector('.host-page:not(.is-behind)');

  /** `fields` of the node query, relative to the page's window. */
  function createSelectorQuery() {
    const tasks = [];
    const query = {
      in: () => query,
      select(selector) {
        return {
          boundingClientRect(run) {
            tasks.push([run, () => {
              const element = currentScroller().querySelector(selector);
              if (!element) return null;
              const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
              const above = currentScroller().getBoundingClientRect().top;
              return { left, right, top: top - above, bottom: bottom - above, width, height };
            }]);
            return query;
          },
        };
      },
      selectViewport: () => ({
        scrollOffset(run) {
          tasks.push([run, () => ({ scrollLeft: 0, scrollTop: currentScroller().scrollTop, scrollHeight: currentScroller().scrollHeight })]);
          return query;
        },
      }),
      exec(run) {
        later(() => {
          const results = tasks.map(([, read]) => read());
          tasks.forEach(([each], index) => each && each(results[index]));
          if (run) run(results);
        });
      },
    };
    return query;
  }

  function showModal(options) {
    site.modals.push(options);
    const tooLong = ['confirmText', 'cancelText'].find((name) => (options[name] || '').length > MAX_MODAL_BUTTON);
    if (tooLong) return refuse(options, 'showModal', `${tooLong} length should not larger than ${MAX_MODAL_BUTTON} Chinese characters`);
    return answer(options, 'showModal', Object.assign({ confirm: site.confirm, cancel: !site.confirm }, options.editable ? { content: site.content || '' } : {}));
  }

  function showToast(options) {
    site.toasts.push(options.title);
    if (options.icon !== 'none' && options.title.length > MAX_TOAST_WITH_ICON) addViolation(`a toast with an icon is cut: ${options.title}`);
    return answer(options, 'showToast');
  }

  const apis = {
    request,
    connectSocket,
    getStorageSync,
    setStorageSync: (key, value) => localStorage.setItem(key, JSON.stringify(value)),
    removeStorageSync: (key) => localStorage.removeItem(key),
    login: (options) => answer(options, 'login', { code: 'code-of-the-host' }),
    getAccountInfoSync: () => ({ miniProgram: { envVersion: site.env, version: '', appId: 'wx0000000000000000' } }),
    getAppBaseInfo: appInfo,
    getWindowInfo: windowInfo,
    getDeviceInfo: () => ({ platform: site.platform }),
    getSystemInfoSync: () => Object.assign({ platform: site.platform }, appInfo(), windowInfo()),
    getNetworkType: (options) => answer(options, 'getNetworkType', { networkType: site.isOffline ? 'none' : 'wifi' }),
    onNetworkStatusChange: (run) => { networkListeners.push(run); },
    offNetworkStatusChange: (run) => {
      const index = networkListeners.indexOf(run);
      if (index >= 0) networkListeners.splice(index, 1);
    },
    navigateTo: go('navigateTo'), redirectTo: go('redirectTo'), reLaunch: go('reLaunch'), switchTab: go('switchTab'), navigateBack: go('navigateBack'),
    setNavigationBarTitle: (options) => { window.__host.setTitle(options.title); return answer(options, 'setNavigationBarTitle'); },
    setTabBarItem: (options) => {
      if (!window.__host.isTabShown()) return refuse(options, 'setTabBarItem', 'not TabBar page');
      window.__host.setTab(options.index, options.text);
      return answer(options, 'setTabBarItem');
    },
    stopPullDownRefresh: () => {},
    createSelectorQuery,
    pageScrollTo(options) {
      const scroller = currentScroller();
      const element = options.selector ? scroller.querySelector(options.selector) : null;
      if (options.selector && !element) return refuse(options, 'pageScrollTo', `${options.selector} is not found`);
      const offset = (options.offsetTop || 0) - scroller.getBoundingClientRect().top;
      scroller.scrollTop = element ? scroller.scrollTop + element.getBoundingClientRect().top + offset : options.scrollTop;
      return answer(options, 'pageScrollTo');
    },
    showToast,
    showModal,
    showActionSheet: (options) => {
      site.sheets.push(options.itemList);
      if (options.itemList.length > MAX_SHEET_ITEMS) return refuse(options, 'showActionSheet', `itemList should not exceed ${MAX_SHEET_ITEMS}`);
      return answer(options, 'showActionSheet', { tapIndex: site.tapIndex });
    },
    setClipboardData: (options) => {
      if (site.refusesClipboard) return refuse(options, 'setClipboardData', 'privacy permission is not authorized');
      site.clipboard = options.data;
      return answer(options, 'setClipboardData');
    },
    nextTick: later,
    requestSubscribeMessage(options) {
      if (!window.__host.isInTap()) addViolation('requestSubscribeMessage outside of a tap');
      site.asked.push(options.tmplIds);
      return answer(options, 'requestSubscribeMessage', { [options.tmplIds[0]]: site.subscribe });
    },
  };

  /** Whether this base library has an API. @param {string} name */
  function isAvailable(name) {
    const since = (API_VERSIONS[name] || '1.0.0').split('.').map(Number);
    const has = site.libVersion.split('.').map(Number);
    const first = [0, 1, 2].find((index) => since[index] !== has[index]);
    return first === undefined || has[first] > since[first];
  }
  window.wx = { canIUse: (name) => name.split('.')[0] in window.wx };
  for (const [name, run] of Object.entries(apis)) {
    if (!isAvailable(name)) continue;
    window.wx[name] = (...args) => {
      site.calls[name] = (site.calls[name] || 0) + 1;
      return run(...args);
    };
  }

  site.setOffline = (isOffline) => {
    site.isOffline = isOffline;
    networkListeners.slice().forEach((run) => run({ isConnected: !isOffline, networkType: isOffline ? 'none' : 'wifi' }));
  };
})();
