'use strict';

const assert = require('node:assert/strict');
const { createRandom } = require('./clock.js');
const { createDevice } = require('./platform.js');
const { startProxy } = require('./proxy.js');
const { createServices, follow, order, readLog } = require('./follower.js');

const WAYS = ['reset', 'end', 'half', 'silent', 'reset', 'end'];
const FOLLOWERS_OF_A_STREAM = 8;
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/**
 * Real clients on bad networks of their own before the real site, until `cuts` connections over which the site had
 * spoken were lost. At every end the client has the site's log, each event once and in order.
 *
 *   speed   how much faster than real the clients' own waits run; the network and the site are as fast as they are
 */
async function runChaos({ site, cuts, streams, speed, seed, questions = 20, repeats = 1, mostSeconds = 600, onCut = () => {} }) {
  const random = createRandom(seed);
  const device = createDevice();
  const ordering = createServices(device, site.url);
  const result = { seed, cuts: 0, events: 0, followers: 0, wrong: [], violations: [], seconds: 0 };
  const began = performance.now();
  const isEnough = () => result.cuts >= cuts || performance.now() - began > mostSeconds * 1000;

  async function followStream(platforms) {
    while (!isEnough()) {
      const { stream } = await order(ordering, { platforms, questions, repeats });
      const told = await Promise.all(Array.from({ length: FOLLOWERS_OF_A_STREAM }, () => followOne(stream)));
      const log = await readLog(ordering, stream);
      told.forEach((events) => compare(events, log, result));
    }
  }

  async function followOne(stream) {
    const proxy = await startProxy(site.port, { onArrival: () => (random() < 0.05 ? 'refuse' : random() < 0.02 ? 'swallow' : 'pass') });
    const own = createDevice({ speed, closesSilently: () => random() < 0.1 });
    const services = createServices(own, `http://127.0.0.1:${proxy.port}`);
    services.session.getToken = ordering.session.getToken; // signing in is not what is tested here
    const follower = follow(own, { stream, services, random });
    follower.client.start();
    while (!follower.isDone) {
      await pause(20 + random() * 250);
      if (follower.fatal) break;
      if (!isEnough()) harm(own, follower.client, proxy);
    }
    follower.client.close();
    await proxy.stop();
    result.followers += 1;
    result.wrong.push(...follower.wrong, ...(follower.fatal ? [JSON.stringify(follower.fatal)] : []));
    result.violations.push(...own.violations);
    return follower.events;
  }

  function harm(own, client, proxy) {
    result.cuts += proxy.cut(WAYS[Math.floor(random() * WAYS.length)]);
    onCut(result.cuts);
    if (random() < 0.05) background(own, client);
    if (random() < 0.5) client.networkChanged(true);
  }
  function background(own, client) {
    if (own.isHidden) return;
    client.hide();
    own.hide();
    setTimeout(() => {
      own.show();
      client.show();
    }, random() * 2000);
  }

  const groups = Array.from({ length: streams }, (_, i) => followStream([`p${(i % 4) + 1}`]));
  await Promise.all(groups);
  result.seconds = (performance.now() - began) / 1000;
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
