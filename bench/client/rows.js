'use strict';

const path = require('node:path');

const MINIPROGRAM = path.join(__dirname, '..', '..', 'miniprogram');
const support = (name) => require(path.join(MINIPROGRAM, 'tests', 'support', name));
const { weather } = support('storm.js');
const { runChaos } = support('chaos.js');
const { startSite, accepts } = support('site.js');
const { startProxy } = support('proxy.js');
const { createDevice } = support('platform.js');
const { createServices, follow, order } = support('follower.js');
const { measurePackage } = support('package.js');
const { startPages, whyNoPages } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'device.js'));
const { measureSetData } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'diagnosis.js'));
const { readScore } = require(path.join(MINIPROGRAM, 'tests', 'mutation', 'score.js'));

const SIMULATED = Number(process.env.STORMED) || 100000;
const REAL = Number(process.env.CUTS) || 10000;
// Of the twenty minutes that all rows may take.
const REAL_SECONDS = Number(process.env.CUTS_SECONDS) || 660;
const CLIENTS = 40;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1];
const ms = (value) => `${Math.round(value)} ms`;

async function until(condition, what, seconds = 90) {
  const limit = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await pause(5);
  }
}

/** A site for one row; a diagnosis that goes on until it is released, and clients that follow it, each on its own network. */
async function withSite(environment, use) {
  const site = await startSite(environment);
  try {
    return await use(site);
  } finally {
    await site.stop();
  }
}

async function startDiagnosis(site) {
  await site.tell('hold');
  const services = createServices(createDevice(), site.url);
  return (await order(services, { platforms: ['last'], questions: 5 })).stream;
}

async function startClients(site, stream, count, { isBusy = true } = {}) {
  const clients = await Promise.all(Array.from({ length: count }, async () => {
    const device = createDevice();
    const proxy = await startProxy(site.port);
    const services = createServices(device, `http://127.0.0.1:${proxy.port}`);
    const follower = follow(device, { stream, services });
    const stop = async () => {
      follower.client.close();
      await proxy.stop();
    };
    return { device, proxy, services, follower, client: follower.client, stop };
  }));
  if (isBusy) {
    clients.forEach(({ client }) => client.start());
    await until(() => clients.every(({ client }) => client.state() === 'live'), 'all clients to be live');
    await pause(6000); // until they are stable
  }
  return clients;
}

/** When a follower was live again after a time. */
const liveAfter = (follower, at) => (follower.states.find(([state, when]) => state === 'live' && when >= at) || [])[1];
const stopAll = (clients) => Promise.all(clients.map((one) => one.stop()));

async function simulated(say) {
  let cuts = 0;
  let seed = 1000;
  for (; cuts < SIMULATED; seed += 1) {
    cuts += await weather(seed);
    say(`${cuts} of ${SIMULATED} cuts`);
    if (seed % 50 === 0) await pause(0); // what is told has its turn
  }
  return { text: `0 over ${cuts} cuts in ${seed - 1000} storms`, isHeld: true, cuts };
}

async function real(say) {
  return withSite({ PING_SECONDS: '0.5', PONG_GRACE_SECONDS: '1' }, async (site) => {
    await site.tell('behave', { after: [0.5, 3] });
    const result = await runChaos({ site, cuts: REAL, streams: 8, repeats: 3, speed: 5, seed: 1, mostSeconds: REAL_SECONDS, onCut: (cuts) => say(`${cuts} of ${REAL} cuts`) });
    const faults = result.wrong.length + result.violations.length;
    const text = `${faults} over ${result.cuts} cuts of ${result.followers} followers, ${result.events} events`;
    return { text, isHeld: faults === 0 && result.cuts >= REAL, ...result };
  });
}

/** Of the last `npm run mutation`, if that was of the files as they are. */
async function mutation() {
  const { score, mutants, stale } = readScore();
  const note = stale.length ? `, but ${stale.join(', ')} changed since: npm run mutation` : '';
  return { text: `${score.toFixed(1)} % of ${mutants}${note}`, isHeld: score >= 85 && !stale.length, score };
}

async function restart() {
  return withSite({}, async (site) => {
    const clients = await startClients(site, await startDiagnosis(site), CLIENTS);
    await site.tell('kill');
    const killedAt = performance.now();
    const starting = site.tell('start');
    const acceptedAt = await accepts(site.port);
    await until(() => clients.every(({ follower }) => liveAfter(follower, killedAt)), 'all clients to be back');
    const took = clients.map(({ follower }) => liveAfter(follower, killedAt) - acceptedAt);
    await starting;
    await stopAll(clients);
    const [p95, most] = [quantile(took, 0.95), Math.max(...took)];
    const down = ((acceptedAt - killedAt) / 1000).toFixed(1);
    return { text: `p95 ${ms(p95)}, max ${ms(most)} (down ${down} s)`, isHeld: p95 <= 800 && most <= 2000, p95, most };
  });
}

async function comeBack() {
  return withSite({}, async (site) => {
    const clients = await startClients(site, await startDiagnosis(site), 10);
    const took = { foreground: [], network: [] };
    for (let round = 0; round < 5; round += 1) {
      for (const [way, away, back] of [
        ['foreground', ({ client, device }) => { client.hide(); device.hide(); }, ({ client, device }) => { device.show(); client.show(); }],
        ['network', ({ client, proxy }) => { proxy.cut('silent'); client.networkChanged(false); }, ({ client }) => client.networkChanged(true)],
      ]) {
        clients.forEach(away);
        await pause(round === 0 ? 6000 : 500); // once, long enough to be frozen
        const at = performance.now();
        clients.forEach(back);
        await until(() => clients.every(({ follower }) => liveAfter(follower, at)), `all clients to be back (${way})`);
        took[way].push(...clients.map(({ follower }) => liveAfter(follower, at) - at));
      }
    }
    await stopAll(clients);
    const [foreground, network] = [quantile(took.foreground, 0.95), quantile(took.network, 0.95)];
    const violations = clients.flatMap(({ device }) => device.violations);
    const text = `p95 ${ms(foreground)}, ${ms(network)}${violations.length ? `, ${violations}` : ''}`;
    return { text, isHeld: foreground <= 800 && network <= 800 && !violations.length, foreground, network };
  });
}

async function halfOpen() {
  return withSite({}, async (site) => {
    const clients = await startClients(site, await startDiagnosis(site), 20);
    const [alone, told] = [clients.slice(0, 10), clients.slice(10)];
    const noticedAfter = (follower, at) => (follower.states.find(([state, when]) => state !== 'live' && when > at) || [])[1];
    clients.forEach(({ proxy }) => proxy.cut('silent'));
    const at = performance.now();
    told.forEach(({ client }) => client.networkChanged(true));
    await until(() => clients.every(({ follower }) => noticedAfter(follower, at)), 'the dead connections to be noticed');
    const most = (some) => Math.max(...some.map(({ follower }) => noticedAfter(follower, at) - at));
    const [byItself, byEvent] = [most(alone), most(told)];
    await stopAll(clients);
    const text = `${(byItself / 1000).toFixed(1)} s; ${ms(byEvent)}`;
    return { text, isHeld: byItself <= 16000 && byEvent <= 1000, byItself, byEvent };
  });
}

async function blocked() {
  return withSite({}, async (site) => {
    const stream = await startDiagnosis(site);
    const clients = await startClients(site, stream, 10, { isBusy: false });
    const firstAt = new Map();
    clients.forEach(({ proxy, follower, client }, i) => {
      const verdict = i % 2 ? 'refuse' : 'swallow';
      proxy.onArrival = (head) => (/^GET \/ws\//.test(head) ? verdict : 'pass');
      follower.onEvents = () => firstAt.has(follower) || firstAt.set(follower, performance.now());
      client.start();
    });
    const at = performance.now();
    await until(() => firstAt.size === clients.length, 'events by polling');
    const polled = Math.max(...clients.map(({ follower }) => firstAt.get(follower) - at));
    await pause(20000);
    clients.forEach(({ proxy }) => { proxy.onArrival = () => 'pass'; });
    const usableAt = performance.now();
    await until(() => clients.every(({ follower }) => liveAfter(follower, usableAt)), 'the sockets to be used again');
    const back = Math.max(...clients.map(({ follower }) => liveAfter(follower, usableAt) - usableAt));
    await site.tell('release');
    await until(() => clients.every(({ follower }) => follower.isDone), 'the end');
    const wrong = clients.flatMap(({ follower }) => follower.wrong);
    await stopAll(clients);
    const text = `${(polled / 1000).toFixed(1)} s; ${(back / 1000).toFixed(1)} s, ${wrong.length} gaps`;
    return { text, isHeld: polled <= 3000 && back <= 60000 && !wrong.length, polled, back };
  });
}

/** 28 answers are 60 events: two for each, and four of the diagnosis. */
async function followForAWhile(site, seconds, watch) {
  await site.tell('behave', { after: [0.5, seconds - 2] });
  const device = createDevice();
  const proxy = await startProxy(site.port);
  const direct = createServices(device, site.url);
  const services = createServices(device, `http://127.0.0.1:${proxy.port}`);
  services.session.getToken = direct.session.getToken; // both ways of watching sign in once, before
  const diagnosis = await order(direct, { platforms: ['p1', 'p2'], questions: 14 });
  const at = performance.now();
  const events = await watch({ device, services, direct, diagnosis });
  const result = { bytes: proxy.bytesUp + proxy.bytesDown, seconds: (performance.now() - at) / 1000, events, connections: proxy.opened };
  await proxy.stop();
  return result;
}

async function watchBySocket({ device, services, diagnosis }) {
  const follower = follow(device, { stream: diagnosis.stream, services });
  follower.client.start();
  await until(() => follower.isDone, 'the end of the diagnosis', 150);
  return follower.events;
}

const watchByPolling = (every) => async ({ services, diagnosis }) => {
  for (;;) {
    const [{ finished_at: finishedAt }] = await Promise.all([services.api.getDiagnosis(diagnosis.id), pause(every)]);
    if (finishedAt) return [];
  }
};

/** Over the socket, by polling every 2 s and, as the origin did, every 800 ms: each its own diagnosis on the same site. */
async function bytes(say, { lasting = 60 } = {}) {
  return withSite({}, async (site) => {
    const ways = [watchBySocket, watchByPolling(2000), watchByPolling(800)];
    const [pushed, polled, hurried] = await Promise.all(ways.map((watch) => followForAWhile(site, lasting, watch)));
    const text = `${(pushed.bytes / 1000).toFixed(1)} kB for ${pushed.events.length} events in ${pushed.seconds.toFixed(0)} s, `
      + `polling ${(polled.bytes / 1000).toFixed(1)} kB, 1 : ${(polled.bytes / pushed.bytes).toFixed(1)}`;
    const isHeld = pushed.bytes <= 8000 && pushed.events.length >= 60 && pushed.seconds >= 50;
    const numbers = { pushed: pushed.bytes, polled: polled.bytes, hurried: hurried.bytes };
    return { text, isHeld, ...numbers, events: pushed.events.length, seconds: pushed.seconds, connections: pushed.connections };
  });
}

/** The real page in Chromium, before the real site. */
async function setData() {
  const why = whyNoPages();
  if (why) return { text: `not measured: ${why}`, isHeld: false };
  const pages = await startPages();
  try {
    const { calls, size, apart, hidden, violations } = await measureSetData(pages);
    const text = `>= ${apart} ms apart (${calls} calls), ${size.toFixed(0)} bytes on average, ${hidden} while hidden`;
    return { text, isHeld: apart >= 190 && size <= 120 && hidden === 0 && !violations.length, calls, size, apart, hidden, violations };
  } finally {
    await pages.stop();
  }
}

/** Each package has a limit of its own; the first is the one that a first visit waits for. */
async function packageSize() {
  const { main, later, largest, download, source, files } = await measurePackage();
  const kB = (size) => `${(size / 1000).toFixed(1)} kB`;
  const text = `${kB(main)} and, loaded later, the report's ${kB(later)}; all to download ${kB(download)}; source ${kB(source)} in ${files.length} files`;
  return { text, isHeld: largest <= 100000 && download <= 100000, main, later, largest, download, source };
}

module.exports = [
  { name: 'simulated', figure: 'events lost, repeated or out of order, simulated', must: `0 over >= ${SIMULATED} cuts`, measure: simulated },
  { name: 'real', figure: 'events lost, repeated or out of order, real', must: `0 over >= ${REAL} cuts`, measure: real },
  { name: 'mutation', figure: 'mutation score of the core', must: '>= 85 %', measure: mutation },
  { name: 'restart', figure: 'server killed and back under 40 clients: live again', must: 'p95 <= 800 ms, max <= 2 s', measure: restart },
  { name: 'comeBack', figure: 'back in foreground, network back: live again', must: 'p95 <= 800 ms', measure: comeBack },
  { name: 'halfOpen', figure: 'half-open socket noticed; with a network event', must: '<= 16 s; <= 1 s', measure: halfOpen },
  { name: 'blocked', figure: 'socket blocked: first polled event; usable again: live', must: '<= 3 s; <= 60 s, no gap', measure: blocked },
  { name: 'setData', figure: 'setData', must: '<= 5 a second, <= 120 bytes on average', measure: setData },
  { name: 'bytes', figure: 'bytes both ways, 60 s and 60 events, against 2 s polling', must: '<= 8 kB', measure: bytes },
  { name: 'package', figure: 'package as WeChat counts it, largest of the two; all of it to download', must: '<= 100 kB; <= 100 kB', measure: packageSize },
];
