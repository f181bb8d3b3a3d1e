'use strict';

const assert = require('node:assert/strict');
const { createRandom } = require('./clock.js');
const { createDevice } = require('./device.js');
const { startProxy } = require('./proxy.js');
const { createServices, createSubscriber, startDiagnosis, readLog } = require('./subscriber.js');

const CUTS = ['reset', 'end', 'half', 'silent', 'reset', 'end'];
const SUBSCRIBERS_PER_STREAM = 8;
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/**
 * Run real clients behind failing networks against the real site, until `cuts` active connections were lost. In the end
 * each client must have the complete log of the site, each event once and in order.
 *
 *   speed   factor by which the clients' timers run faster than real time
 */
async function runChaos({ site, cuts, streams, speed, seed, questions = 20, repeats = 1, maxSeconds = 600, onCut = () => {} }) {
  const random = createRandom(seed);
  const device = createDevice();
  const services = createServices(device, site.url);
  const result = { seed, cuts: 0, events: 0, subscribers: 0, wrong: [], violations: [], seconds: 0 };
  const startedAt = performance.now();
  const isFinished = () => result.cuts >= cuts || performance.now() - startedAt > maxSeconds * 1000;

  async function runStream(platforms) {
    while (!isFinished()) {
      const { stream } = await startDiagnosis(services, { platforms, questions, repeats });
      const received = await Promise.all(Array.from({ length: SUBSCRIBERS_PER_STREAM }, () => runSubscriber(stream)));
      const log = await readLog(services, stream);
      received.forEach((events) => compare(events, log, result));
    }
  }

  async function runSubscriber(stream) {
    const proxy = await startProxy(site.port, { onArrival: () => (random() < 0.05 ? 'refuse' : random() < 0.02 ? 'swallow' : 'pass') });
    const own = createDevice({ speed, closesSilently: () => random() < 0.1 });
    const ownServices = createServices(own, `http://127.0.0.1:${proxy.port}`);
    ownServices.session.getToken = services.session.getToken; // signing in is not part of this test
    const subscriber = createSubscriber(own, { stream, services: ownServices, random });
    subscriber.client.start();
    while (!subscriber.isDone) {
      await pause(20 + random() * 250);
      if (subscriber.fatal) break;
      if (!isFinished()) injectFault(own, subscriber.client, proxy);
    }
    subscriber.client.close();
    await proxy.stop();
    result.subscribers += 1;
    result.wrong.push(...subscriber.wrong, ...(subscriber.fatal ? [JSON.stringify(subscriber.fatal)] : []));
    result.violations.push(...own.violations);
    return subscriber.events;
  }

  function injectFault(own, client, proxy) {
    result.cuts += proxy.cut(CUTS[Math.floor(random() * CUTS.length)]);
    onCut(result.cuts);
    if (random() < 0.05) moveToBackground(own, client);
    if (random() < 0.5) client.networkChanged(true);
  }
  function moveToBackground(own, client) {
    if (own.isHidden) return;
    client.hide();
    own.hide();
    setTimeout(() => {
      own.show();
      client.show();
    }, random() * 2000);
  }

  const groups = Array.from({ length: streams }, (_, i) => runStream([`p${(i % 4) + 1}`]));
  await Promise.all(groups);
  result.seconds = (performance.now() - startedAt) / 1000;
  return result;
}

function compare(events, log, result) {
  result.events += events.length;
  try {
    assert.deepEqual(events, log);
  } catch (error) {
    result.wrong.push(`${events.length} events instead of ${log.length}`);
  }
}

module.exports = { runChaos };
