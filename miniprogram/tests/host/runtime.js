/** Runs a compiled mini-program: modules, built-in components, the app, the page stack and the measurements of the tests. */
(function () {
  'use strict';

  const host = window.__host;
  const { app: config, theme, parts, builtins, images } = host.input;
  const part = new Map(parts);
  const TYPES = { String, Boolean, Number, Array, Any: null };
  const TAP_MS = 1000;
  const TOAST_MS = 60 * 60 * 1000;

  function load(sources, cache, name, resolveName) {
    if (!cache[name]) {
      if (!sources[name]) throw new Error(`no module ${name}`);
      const module = { exports: {} };
      cache[name] = module;
      sources[name]((wanted) => load(sources, cache, resolveName(name, wanted), resolveName), module, module.exports);
    }
    return cache[name].exports;
  }
  const libraries = {};
  const library = (name) => load(host.libraries, libraries, name, (from, wanted) => wanted);
  const { Event, EventBubbleStatus, CurrentWindowBackendContext, globalOptions } = library('glass-easel');
  const adapter = library('glass-easel-miniprogram-adapter');
  if (globalOptions) globalOptions.throwGlobalError = true;

  function resolveFile(from, wanted) {
    const steps = wanted.startsWith('/') ? [] : from.split('/').slice(0, -1);
    for (const step of wanted.replace(/^\//, '').split('/')) {
      if (step === '..') steps.pop();
      else if (step !== '.') steps.push(step);
    }
    const name = steps.join('/');
    return host.modules[name] ? name : `${name}.js`;
  }
  const modules = {};
  const require = (name) => load(host.modules, modules, name, resolveFile);

  const environment = new adapter.MiniProgramEnv();
  const space = environment.createCodeSpace('', true);
  const backendContext = new CurrentWindowBackendContext();
  const backend = environment.associateBackend(backendContext);
  let tapAt = -Infinity;
  backendContext.onEvent((target, type, detail, options) => {
    if (type === 'tap') tapAt = performance.now();
    const event = new Event(type, detail, options);
    Event.dispatchEvent(target, event);
    return event.defaultPrevented() ? EventBubbleStatus.NoDefault : EventBubbleStatus.Normal;
  });
  host.isInTap = () => performance.now() - tapAt < TAP_MS;

  // Keep the ids of pages, for styles, scrolling and tests.
  const prepareComponentOptions = space.prepareComponentOptions.bind(space);
  space.prepareComponentOptions = (name, options) => {
    const [prepared, isolation] = prepareComponentOptions(name, options);
    const isPage = config.pages.includes(name);
    return [{ ...prepared, writeIdToDOM: true, idPrefixGenerator: isPage ? undefined : prepared.idPrefixGenerator }, isolation];
  };

  const getElement = (component) => component._$ && component._$.$$;
  const getAttributeName = (name) => (name.startsWith('aria') ? (name === 'ariaRole' ? 'role' : `aria-${name.slice(4).toLowerCase()}`) : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));

  function reflect(component, name, value) {
    const element = getElement(component);
    if (!element) return;
    const isAria = name.startsWith('aria');
    if (isAria && typeof value === 'boolean') element.setAttribute(getAttributeName(name), String(value));
    else if (value === false || value === '' || value === null || value === undefined) element.removeAttribute(getAttributeName(name));
    else element.setAttribute(getAttributeName(name), value === true ? '' : String(value));
  }

  function defineBuiltin([tag, { properties, reflect: shown = [], role }]) {
    const name = `host/${tag}`;
    const declared = {};
    const observers = {};
    for (const [key, given] of Object.entries(properties)) {
      declared[key] = Array.isArray(given) ? { type: TYPES[given[0]], value: given[1] } : { type: TYPES[given] };
      if (shown.includes(key) || key === 'ariaRole' || key === 'ariaLabel') observers[key] = function (value) { reflect(this, key, value); };
      else if (key.startsWith('aria')) observers[key] = function (value) { if (this._isAttached) reflect(this, key, value); };
    }
    // As on the platform, a changed value replaces what was typed, and the same value again does nothing.
    if (declared.placeholder) {
      observers.value = function (value) {
        if (!this._isAttached || value === this._value) return;
        this._value = value;
        field(this).value = value;
      };
      observers.focus = function (isFocused) { if (this._isAttached && isFocused) field(this).focus(); };
    }
    const field = (component) => getElement(component).querySelector('input, textarea');
    space.addComponentStaticConfig(name, { component: true });
    space.addCompiledTemplate(name, { groupList: host.templates, content: host.templates[name] });
    space.componentEnv(name, ({ Component }) => Component({
      properties: declared,
      observers,
      lifetimes: {
        attached() {
          this._isAttached = true;
          if (declared.placeholder) {
            this._value = this.data.value;
            field(this).value = this.data.value;
            field(this).addEventListener('keydown', ({ key }) => { if (key === 'Enter' && tag === 'input') this.triggerEvent('confirm', { value: field(this).value }); });
          }
          if (role) getElement(this).setAttribute('role', role);
          if (tag === 'page-meta' && this.data.rootFontSize === 'system') document.documentElement.style.fontSize = `${host.wx.fontSize}px`;
          if (this.data.focus) field(this).focus();
        },
      },
      methods: {
        typed() { this.triggerEvent('input', { value: field(this).value, cursor: field(this).selectionStart }); },
        focused() { this.triggerEvent('focus', { value: field(this).value }); },
        // A field that is removed while it has the focus has no element any more.
        blurred() { if (getElement(this)) this.triggerEvent('blur', { value: field(this).value }); },
      },
    }));
  }
  Object.entries(builtins).forEach(defineBuiltin);
  // rpx in inline styles.
  const setAttribute = window.Element.prototype.setAttribute;
  window.Element.prototype.setAttribute = function (name, value) {
    const text = name === 'style' ? String(value).replace(/(-?[\d.]+)rpx/g, 'calc(100vw * $1 / 750)') : value;
    return setAttribute.call(this, name, text);
  };

  let app = {};
  window.App = (definition) => { app = definition; };
  window.getApp = () => app;
  const stack = [];
  window.getCurrentPages = () => stack.map((entry) => entry.page);

  require('app.js');
  for (const [name, { config: own, scope, style }] of parts) {
    space.addComponentStaticConfig(name, own);
    space.addCompiledTemplate(name, { groupList: host.templates, content: host.templates[name] });
    if (scope && style) {
      space.addStyleSheet(name, name, scope);
      backend.registerStyleSheetContent(name, style);
    }
  }
  // Define components before the pages that use them.
  [...parts].reverse().forEach(([name]) => space.globalComponentEnv(window, name, () => require(`${name}.js`)));

  // ---- The navigation bar and the tab bar.
  const isDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
  function themed(value) {
    if (typeof value !== 'string' || !value.startsWith('@')) return value;
    return (theme[isDark() ? 'dark' : 'light'] || {})[value.slice(1)];
  }
  const bar = document.createElement('div');
  bar.className = 'host-bar';
  const tabs = document.createElement('div');
  tabs.className = 'host-tabs';
  document.body.append(bar, tabs);
  const tabList = (config.tabBar && config.tabBar.list) || [];
  const tabTexts = tabList.map((tab) => tab.text);
  const isTab = (route) => tabList.some((tab) => tab.pagePath === route);

  function drawFrame() {
    const top = stack[stack.length - 1];
    if (!top) return;
    const frame = { ...config.window, ...part.get(top.route).config };
    bar.style.background = themed(frame.navigationBarBackgroundColor) || '#fff';
    bar.style.color = themed(frame.navigationBarTextStyle) === 'white' ? '#fff' : '#000';
    bar.textContent = top.title || frame.navigationBarTitleText || '';
    document.body.style.background = themed(frame.backgroundColorContent) || themed(frame.backgroundColor) || '#fff';
    if (stack.length > 1) {
      const back = document.createElement('button');
      back.className = 'host-back';
      back.setAttribute('aria-label', '返回');
      back.textContent = '‹';
      back.onclick = () => host.go('navigateBack');
      bar.append(back);
    }
    tabs.hidden = !isTab(top.route);
    document.body.style.setProperty('--host-tabs', tabs.hidden ? '0px' : '52px');
    if (!tabs.hidden) drawTabs(top.route);
  }
  function drawTabs(route) {
    tabs.style.background = themed(config.tabBar.backgroundColor);
    tabs.replaceChildren(...tabList.map((tab, index) => {
      const button = document.createElement('button');
      const isHere = tab.pagePath === route;
      const icon = document.createElement('img');
      icon.alt = '';
      icon.src = images[themed(isHere ? tab.selectedIconPath : tab.iconPath)] || '';
      button.style.color = themed(isHere ? config.tabBar.selectedColor : config.tabBar.color);
      button.append(icon, tabTexts[index]);
      button.onclick = () => host.go('switchTab', `/${tab.pagePath}`);
      return button;
    }));
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawFrame);
  host.setTitle = (title) => { stack[stack.length - 1].title = title; drawFrame(); };
  host.isTabShown = () => isTab(stack[stack.length - 1].route);
  host.setTab = (index, text) => { tabTexts[index] = text; drawFrame(); };

  // ---- Pages.
  const measurements = { calls: 0, bytes: 0, hidden: 0, largest: 0, times: [], log: [] };
  host.measurements = measurements;
  let isHidden = false;
  host.violations = host.wx.violations;

  function hasUndefined(value) {
    if (value === undefined) return true;
    return Boolean(value) && typeof value === 'object' && Object.values(value).some(hasUndefined);
  }
  function measureSetData(entry, changes) {
    const text = JSON.stringify(changes);
    const bytes = new TextEncoder().encode(text).length;
    measurements.calls += 1;
    measurements.bytes += bytes;
    measurements.largest = Math.max(measurements.largest, bytes);
    measurements.times.push(Date.now());
    measurements.log.push(text);
    if (isHidden || !entry.isShown) {
      measurements.hidden += 1;
      host.violations.push(`setData while hidden: ${text.slice(0, 200)}`);
    }
    if (hasUndefined(changes)) host.violations.push(`setData with undefined: ${Object.keys(changes)}`);
    if (bytes > 256 * 1024) host.violations.push(`setData of ${bytes} bytes`);
  }

  /** Set `a.b[3].c` in the data of the logic layer. */
  function setPath(data, path, value) {
    const keys = path.split(/[.[\]]+/).filter(Boolean);
    const last = keys.pop();
    let target = data;
    for (const [index, key] of keys.entries()) {
      if (target[key] === null || typeof target[key] !== 'object') target[key] = /^\d+$/.test(keys[index + 1] || last) ? [] : {};
      target = target[key];
    }
    target[last] = value;
  }

  /** As on the platform, `data` changes at once, and the view follows later, in order. */
  function separateLayers(entry) {
    const { page } = entry;
    const render = page.setData;
    const data = JSON.parse(JSON.stringify(page.data));
    Object.defineProperty(page, 'data', { get: () => data });
    const waiting = [];
    let rendersAt = 0;
    function renderNext() {
      const { changes, done } = waiting.shift();
      if (entry.isClosed) return;
      render.call(page, changes);
      if (done) done.call(page);
    }
    page.setData = function (changes, done) {
      measureSetData(entry, changes);
      const copy = JSON.parse(JSON.stringify(changes));
      for (const [path, value] of Object.entries(changes)) setPath(data, path, JSON.parse(JSON.stringify(value)));
      waiting.push({ changes: copy, done });
      const [low, high] = host.wx.lag;
      const now = performance.now();
      rendersAt = Math.max(rendersAt, now + low + Math.random() * (high - low));
      setTimeout(renderNext, rendersAt - now);
    };
  }

  function open(url) {
    const [address, search = ''] = url.replace(/^\//, '').split('?');
    if (!part.has(address)) throw new Error(`no page ${address}`);
    const query = {};
    search.split('&').filter(Boolean).forEach((pair) => { const [key, value = ''] = pair.split('='); query[key] = value; });
    const frame = document.createElement('div');
    frame.className = 'host-frame';
    const scroller = document.createElement('div');
    scroller.className = 'host-page';
    const place = document.createElement('span');
    frame.append(scroller);
    scroller.append(place);
    document.body.insertBefore(frame, tabs);
    const style = document.createElement('style');
    style.textContent = part.get(address).style;
    document.head.append(style);
    const root = backend.createRoot('page-root', space, address);
    const component = root.getComponent();
    const page = component.getMethodCaller();
    const entry = { route: address, query, frame, scroller, style, root, page, isShown: true };
    page.route = address;
    page.options = query;
    separateLayers(entry);
    stack.push(entry);
    root.attach(scroller, place);
    if (page.onLoad) page.onLoad(query);
    appear(entry);
    if (page.onReady) requestAnimationFrame(() => page.onReady());
  }
  function appear(entry) {
    entry.isShown = true;
    entry.frame.hidden = false;
    entry.scroller.classList.remove('is-behind');
    entry.style.media = '';
    drawFrame();
    if (entry.page.onShow) entry.page.onShow();
  }
  function disappear(entry) {
    if (!entry) return;
    if (entry.page.onHide) entry.page.onHide();
    entry.isShown = false;
    entry.frame.hidden = true;
    entry.scroller.classList.add('is-behind');
    entry.style.media = 'not all';
  }
  function close(entry) {
    if (entry.page.onUnload) entry.page.onUnload();
    entry.isShown = false;
    entry.isClosed = true;
    entry.root.release();
    entry.frame.remove();
    entry.style.remove();
  }

  // As on the platform, tabs keep their pages.
  const hiddenTabs = new Map();
  const navigation = {
    navigateTo(url) { disappear(stack[stack.length - 1]); open(url); },
    redirectTo(url) { close(stack.pop()); open(url); },
    reLaunch(url) { stack.splice(0).forEach(close); hiddenTabs.forEach(close); hiddenTabs.clear(); open(url); },
    navigateBack(url, delta = 1) {
      const count = Math.min(delta, stack.length - 1);
      for (let step = 0; step < count; step += 1) close(stack.pop());
      if (count) appear(stack[stack.length - 1]);
    },
    switchTab(url) {
      const route = url.replace(/^\//, '');
      const top = stack[stack.length - 1];
      if (top && top.route === route) return;
      while (stack.length > 1 || (stack.length && !isTab(stack[0].route))) close(stack.pop());
      const old = stack.pop();
      if (old) { if (old.isShown) disappear(old); hiddenTabs.set(old.route, old); }
      const again = hiddenTabs.get(route);
      hiddenTabs.delete(route);
      if (again) { stack.push(again); appear(again); } else open(url);
    },
  };
  host.go = (name, url, delta) => {
    const route = url && url.replace(/^\//, '').split('?')[0];
    if (url && !part.has(route)) return `page "${route}" is not found`;
    if ((name === 'navigateTo' || name === 'redirectTo') && isTab(route)) return 'can not navigateTo a tabbar page';
    if (name === 'switchTab' && (!isTab(route) || url.includes('?'))) return 'not a tabbar page';
    if (name === 'navigateTo' && stack.length >= 10) return 'webview count limit exceed';
    navigation[name](url, delta);
    return '';
  };
  const top = () => stack[stack.length - 1];
  host.page = () => top().page;
  host.hide = () => {
    if (top().page.onHide) top().page.onHide();
    if (app.onHide) app.onHide();
    isHidden = true;
    host.wx.suspendLater();
  };
  host.show = () => {
    isHidden = false;
    host.wx.resume();
    if (app.onShow) app.onShow({});
    if (top().page.onShow) top().page.onShow();
  };

  // A toast that disappears after some seconds would race with the test on a busy machine, so toasts stay until closed.
  const { connect } = app;
  app.connect = function () {
    connect.call(this);
    const { present } = this.errors;
    this.errors.present = (...args) => {
      const shown = present(...args);
      const isBrief = shown.durationMs > 0 && shown.durationMs < 1000;
      return isBrief ? shown : { ...shown, durationMs: TOAST_MS };
    };
  };
  if (app.onLaunch) app.onLaunch({ path: config.pages[0], query: {} });
  if (app.onShow) app.onShow({});
  const first = new URLSearchParams(location.search).get('open') || config.pages[0];
  open(first);
})();
