'use strict';

const path = require('node:path');

const MINIPROGRAM = path.join(__dirname, '..', '..', 'miniprogram');
const support = (name) => require(path.join(MINIPROGRAM, 'tests', 'support', name));
const { runWithFaults } = support('networkFaults.js');
const { runChaos } = support('chaos.js');
const { startSite, waitForPort } = support('site.js');
const { startProxy } = support('proxy.js');
const { createDevice } = support('device.js');
const { createServices, createSubscriber, startDiagnosis: postDiagnosis } = support('subscriber.js');
const { measurePackage } = support('packageSize.js');
const { startPages, whyNoPages } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'phones.js'));
const { measureSetData } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'diagnosisPage.js'));
const { measureTyping } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'realPhones.js'));
const { measureBoxes, measureParity, measureReport } = require(path.join(MINIPROGRAM, 'tests', 'pages', 'screens.js'));
const { PROFILES } = support('deviceProfiles.js');
const { readScore } = require(path.join(MINIPROGRAM, 'tests', 'mutation', 'score.js'));

const SIMULATED_CUTS = Number(process.env.STORMED) || 100000;
const REAL_CUTS = Number(process.env.CUTS) || 10000;
// All measurements together take about twenty minutes.
const MAX_REAL_SECONDS = Number(process.env.CUTS_SECONDS) || 660;
const CLIENTS = 40;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1];
const ms = (value) => `${Math.round(value)} ms`;

async function waitUntil(condition, what, seconds = 90) {
  const limit = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`timed out after ${seconds} s waiting for ${what}`);
    await pause(5);
  }
}

/** Run a measurement with a site of its own. */
async function withSite(environment, use, options) {
  const site = await startSite(environment, options);
  try {
    return await use(site);
  } finally {
    await site.stop();
  }
}

/** Start a diagnosis that runs until the site gets `release`; return its stream. */
async function startDiagnosis(site) {
  await site.send('hold');
  const services = createServices(createDevice(), site.url);
  return (await postDiagnosis(services, { platforms: ['last'], questions: 5 })).stream;
}

/** Start clients of a stream, each behind a proxy of its own. */
async function startClients(site, stream, count, { isStarted = true } = {}) {
  const clients = await Promise.all(Array.from({ length: count }, async () => {
    const device = createDevice();
    const proxy = await startProxy(site.port);
    const services = createServices(device, `http://127.0.0.1:${proxy.port}`);
    const subscriber = createSubscriber(device, { stream, services });
    const stop = async () => {
      subscriber.client.close();
      await proxy.stop();
    };
    return { device, proxy, services, subscriber, client: subscriber.client, stop };
  }));
  if (isStarted) {
    clients.forEach(({ client }) => client.start());
    await waitUntil(() => clients.every(({ client }) => client.state() === 'live'), 'all clients to be live');
    await pause(6000); // until they are stable
  }
  return clients;
}

/** The time at which a subscriber was live again after `at`. */
const liveAfter = (subscriber, at) => (subscriber.states.find(([state, when]) => state === 'live' && when >= at) || [])[1];
const stopAll = (clients) => Promise.all(clients.map((one) => one.stop()));

async function simulated(report) {
  let cuts = 0;
  let seed = 1000;
  for (; cuts < SIMULATED_CUTS; seed += 1) {
    cuts += await runWithFaults(seed);
    report(`${cuts} of ${SIMULATED_CUTS} cuts`);
    if (seed % 50 === 0) await pause(0); // let the progress be printed
  }
  return { text: `0 over ${cuts} cuts in ${seed - 1000} runs`, isHeld: true, cuts };
}

async function real(report) {
  return withSite({ PING_SECONDS: '0.5', PONG_GRACE_SECONDS: '1' }, async (site) => {
    await site.send('behave', { after: [0.5, 3] });
    const result = await runChaos({ site, cuts: REAL_CUTS, streams: 8, repeats: 3, speed: 5, seed: 1, maxSeconds: MAX_REAL_SECONDS, onCut: (cuts) => report(`${cuts} of ${REAL_CUTS} cuts`) });
    const faults = result.wrong.length + result.violations.length;
    const text = `${faults} over ${result.cuts} cuts of ${result.subscribers} subscribers, ${result.events} events`;
    return { text, isHeld: faults === 0 && result.cuts >= REAL_CUTS, ...result };
  });
}

/** The score of the last `npm run mutation`; files that have changed since make it invalid. */
async function mutation() {
  const { score, mutants, stale } = readScore();
  const note = stale.length ? `, but ${stale.join(', ')} changed since: npm run mutation` : '';
  return { text: `${score.toFixed(1)} % of ${mutants}${note}`, isHeld: score >= 85 && !stale.length, score };
}

async function restart() {
  return withSite({}, async (site) => {
    const clients = await startClients(site, await startDiagnosis(site), CLIENTS);
    await site.send('kill');
    const killedAt = performance.now();
    const starting = site.send('start');
    const acceptedAt = await waitForPort(site.port);
    await waitUntil(() => clients.every(({ subscriber }) => liveAfter(subscriber, killedAt)), 'all clients to be back');
    const took = clients.map(({ subscriber }) => liveAfter(subscriber, killedAt) - acceptedAt);
    await starting;
    await stopAll(clients);
    const [p95, max] = [quantile(took, 0.95), Math.max(...took)];
    const down = ((acceptedAt - killedAt) / 1000).toFixed(1);
    return { text: `p95 ${ms(p95)}, max ${ms(max)} (down ${down} s)`, isHeld: p95 <= 800 && max <= 2000, p95, most: max };
  });
}

async function comeBack() {
  return withSite({}, async (site) => {
    const clients = await startClients(site, await startDiagnosis(site), 10);
    const took = { foreground: [], network: [] };
    for (let round = 0; round < 5; round += 1) {
      for (const [kind, leave, comeBackNow] of [
        ['foreground', ({ client, device }) => { client.hide(); device.hide(); }, ({ client, device }) => { device.show(); client.show(); }],
        ['network', ({ client, proxy }) => { proxy.cut('silent'); client.networkChanged(false); }, ({ client }) => client.networkChanged(true)],
      ]) {
        clients.forEach(leave);
        await pause(round === 0 ? 6000 : 500); // the first time long enough to be frozen
        const at = performance.now();
        clients.forEach(comeBackNow);
        await waitUntil(() => clients.every(({ subscriber }) => liveAfter(subscriber, at)), `all clients to be back (${kind})`);
        took[kind].push(...clients.map(({ subscriber }) => liveAfter(subscriber, at) - at));
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
    const [unnotified, notified] = [clients.slice(0, 10), clients.slice(10)];
    const noticedAfter = (subscriber, at) => (subscriber.states.find(([state, when]) => state !== 'live' && when > at) || [])[1];
    clients.forEach(({ proxy }) => proxy.cut('silent'));
    const at = performance.now();
    notified.forEach(({ client }) => client.networkChanged(true));
    await waitUntil(() => clients.every(({ subscriber }) => noticedAfter(subscriber, at)), 'the dead connections to be noticed');
    const maxDelay = (some) => Math.max(...some.map(({ subscriber }) => noticedAfter(subscriber, at) - at));
    const [byItself, byEvent] = [maxDelay(unnotified), maxDelay(notified)];
    await stopAll(clients);
    const text = `${(byItself / 1000).toFixed(1)} s; ${ms(byEvent)}`;
    return { text, isHeld: byItself <= 16000 && byEvent <= 1000, byItself, byEvent };
  });
}

async function blocked() {
  return withSite({}, async (site) => {
    const stream = await startDiagnosis(site);
    const clients = await startClients(site, stream, 10, { isStarted: false });
    const firstAt = new Map();
    clients.forEach(({ proxy, subscriber, client }, i) => {
      const verdict = i % 2 ? 'refuse' : 'swallow';
      proxy.onArrival = (head) => (/^GET \/ws\//.test(head) ? verdict : 'pass');
      subscriber.onEvents = () => firstAt.has(subscriber) || firstAt.set(subscriber, performance.now());
      client.start();
    });
    const at = performance.now();
    await waitUntil(() => firstAt.size === clients.length, 'events by polling');
    const polled = Math.max(...clients.map(({ subscriber }) => firstAt.get(subscriber) - at));
    await pause(20000);
    clients.forEach(({ proxy }) => { proxy.onArrival = () => 'pass'; });
    const usableAt = performance.now();
    await waitUntil(() => clients.every(({ subscriber }) => liveAfter(subscriber, usableAt)), 'the sockets to be used again');
    const back = Math.max(...clients.map(({ subscriber }) => liveAfter(subscriber, usableAt) - usableAt));
    await site.send('release');
    await waitUntil(() => clients.every(({ subscriber }) => subscriber.isDone), 'the end');
    const wrong = clients.flatMap(({ subscriber }) => subscriber.wrong);
    await stopAll(clients);
    const text = `${(polled / 1000).toFixed(1)} s; ${(back / 1000).toFixed(1)} s, ${wrong.length} gaps`;
    return { text, isHeld: polled <= 3000 && back <= 60000 && !wrong.length, polled, back };
  });
}

/** Watch a diagnosis with 28 answers: 60 events, two per answer and four of the diagnosis. */
async function measureWatching(site, seconds, watch) {
  await site.send('behave', { after: [0.5, seconds - 2] });
  const device = createDevice();
  const proxy = await startProxy(site.port);
  const direct = createServices(device, site.url);
  const services = createServices(device, `http://127.0.0.1:${proxy.port}`);
  services.session.getToken = direct.session.getToken; // sign in before the measurement
  const diagnosis = await postDiagnosis(direct, { platforms: ['p1', 'p2'], questions: 14 });
  const at = performance.now();
  const events = await watch({ device, services, direct, diagnosis });
  const result = { bytes: proxy.bytesUp + proxy.bytesDown, seconds: (performance.now() - at) / 1000, events, connections: proxy.opened };
  await proxy.stop();
  return result;
}

async function watchBySocket({ device, services, diagnosis }) {
  const subscriber = createSubscriber(device, { stream: diagnosis.stream, services });
  subscriber.client.start();
  await waitUntil(() => subscriber.isDone, 'the end of the diagnosis', 150);
  return subscriber.events;
}

const watchByPolling = (intervalMs) => async ({ services, diagnosis }) => {
  for (;;) {
    const [{ finished_at: finishedAt }] = await Promise.all([services.api.getDiagnosis(diagnosis.id), pause(intervalMs)]);
    if (finishedAt) return [];
  }
};

/** Over the socket, by polling every 2 s, and by polling every 800 ms as the original did; each with a diagnosis of its own. */
async function bytes(report, { durationSeconds = 60 } = {}) {
  return withSite({}, async (site) => {
    const methods = [watchBySocket, watchByPolling(2000), watchByPolling(800)];
    const [pushed, polled, hurried] = await Promise.all(methods.map((watch) => measureWatching(site, durationSeconds, watch)));
    const text = `${(pushed.bytes / 1000).toFixed(1)} kB for ${pushed.events.length} events in ${pushed.seconds.toFixed(0)} s, `
      + `polling ${(polled.bytes / 1000).toFixed(1)} kB, 1 : ${(polled.bytes / pushed.bytes).toFixed(1)}`;
    const isHeld = pushed.bytes <= 8000 && pushed.events.length >= 60 && pushed.seconds >= 50;
    const numbers = { pushed: pushed.bytes, polled: polled.bytes, hurried: hurried.bytes };
    return { text, isHeld, ...numbers, events: pushed.events.length, seconds: pushed.seconds, connections: pushed.connections };
  });
}

/** Run a measurement of the real pages in Chromium against a real site. */
async function withPages(use) {
  const why = whyNoPages();
  if (why) return { text: `not measured: ${why}`, isHeld: false };
  const pages = await startPages();
  try {
    return await use(pages);
  } finally {
    await pages.stop();
  }
}

const setData = () => withPages(async (pages) => {
  const { calls, size, apart, hidden, violations } = await measureSetData(pages);
  const text = `>= ${apart} ms apart (${calls} calls), ${size.toFixed(0)} bytes on average, ${hidden} while hidden`;
  return { text, isHeld: apart >= 190 && size <= 120 && hidden === 0 && !violations.length, calls, size, apart, hidden, violations };
});

const typing = () => withPages(async (pages) => {
  const { lost, violations } = await measureTyping(pages, { length: 500 });
  return { text: `${lost}`, isHeld: lost === 0 && !violations.length, lost, violations };
});

const boxes = (report) => withPages(async (pages) => {
  const { screens, faults } = await measureBoxes(pages, { report, pictures: process.env.PICTURES });
  const text = `${faults.length} on ${screens} screens${faults.slice(0, 3).map((fault) => `; ${fault}`).join('')}`;
  return { text, isHeld: faults.length === 0, screens, faults };
});

const parity = () => withPages(async (pages) => {
  const { rows, missing } = await measureParity(pages);
  const text = missing.length ? `missing: ${missing.join(', ')}` : `${rows.length} of ${rows.length} sections, same names and order`;
  return { text, isHeld: missing.length === 0, rows, missing };
});

const openReport = () => withPages(async (pages) => {
  const { calls, largest, nodes, violations } = await measureReport(pages);
  const isHeld = calls <= 30 && largest <= 32000 && nodes <= 1000 && !violations.length;
  return { text: `${calls} calls; ${(largest / 1000).toFixed(1)} kB; ${nodes} nodes`, isHeld, calls, largest, nodes, violations };
});

/** Each kind of client follows a diagnosis over a socket through nginx, is cut off once, and gets every event once. */
async function profiles() {
  return withSite({}, async (site) => {
    const wrong = [];
    await site.send('hold');
    const clients = await Promise.all(Object.keys(PROFILES).map(async (profile) => {
      const device = createDevice({ profile, certificate: site.certificate });
      const proxy = await startProxy(site.port);
      const services = createServices(device, `https://localhost:${proxy.port}`, `device-of-the-${profile}`);
      const diagnosis = await postDiagnosis(services, { platforms: ['p1', 'last'], questions: 3 });
      const subscriber = createSubscriber(device, { stream: diagnosis.stream, services });
      subscriber.client.start();
      await waitUntil(() => liveAfter(subscriber, 0), `${profile} to be live`);
      proxy.cut('reset');
      const cutAt = performance.now();
      await waitUntil(() => liveAfter(subscriber, cutAt), `${profile} to be live again`);
      return { profile, device, proxy, subscriber };
    }));
    await site.send('release');
    for (const { profile, device, proxy, subscriber } of clients) {
      await waitUntil(() => subscriber.isDone, `the end on ${profile}`);
      wrong.push(...subscriber.wrong.concat(device.violations).map((fault) => `${profile}: ${fault}`));
      subscriber.client.close();
      await proxy.stop();
    }
    return { text: `${wrong.length} on ${clients.length} kinds of clients`, isHeld: wrong.length === 0, wrong };
  }, { isBehindNginx: true });
}

/** The main package has a limit of its own. */
async function packageSize() {
  const { main, later, download, source, files } = await measurePackage();
  const kB = (size) => `${(size / 1000).toFixed(1)} kB`;
  const text = `${kB(main)}; ${kB(main + later)}; to download ${kB(download)}; source ${kB(source)} in ${files.length} files`;
  return { text, isHeld: main <= 100000 && main + later <= 250000, main, later, download, source };
}

module.exports = [
  { name: 'simulated', figure: 'events lost, repeated or out of order, simulated', must: `0 over >= ${SIMULATED_CUTS} cuts`, measure: simulated },
  { name: 'real', figure: 'events lost, repeated or out of order, real', must: `0 over >= ${REAL_CUTS} cuts`, measure: real },
  { name: 'mutation', figure: 'mutation score of the core', must: '>= 85 %', measure: mutation },
  { name: 'restart', figure: 'server killed and back under 40 clients: live again', must: 'p95 <= 800 ms, max <= 2 s', measure: restart },
  { name: 'comeBack', figure: 'back in foreground, network back: live again', must: 'p95 <= 800 ms', measure: comeBack },
  { name: 'halfOpen', figure: 'half-open socket noticed; with a network event', must: '<= 16 s; <= 1 s', measure: halfOpen },
  { name: 'blocked', figure: 'socket blocked: first polled event; usable again: live', must: '<= 3 s; <= 60 s, no gap', measure: blocked },
  { name: 'setData', figure: 'setData', must: '<= 5 a second, <= 120 bytes on average', measure: setData },
  { name: 'bytes', figure: 'bytes both ways, 60 s and 60 events, against 2 s polling', must: '<= 8 kB', measure: bytes },
  { name: 'typing', figure: 'characters lost while typing 500 into every field, setData 0-150 ms late', must: '0', measure: typing },
  { name: 'boxes', figure: 'texts cut, overlapped or off the screen: pages x sizes x fonts x languages', must: '0', measure: boxes },
  { name: 'parity', figure: 'sections of the report, page against mini-program', must: 'complete', measure: parity },
  { name: 'report', figure: 'to open a report of 60 answers: native calls; largest setData; nodes', must: '<= 30; <= 32 kB; <= 1,000', measure: openReport },
  { name: 'profiles', figure: 'events lost or repeated, handshakes refused: each kind of client, through nginx, cut once', must: '0', measure: profiles },
  { name: 'package', figure: 'packages as WeChat counts them: the first; all', must: '<= 100 kB; <= 250 kB', measure: packageSize },
];
