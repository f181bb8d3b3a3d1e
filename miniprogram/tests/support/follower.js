'use strict';

const { createApi } = require('../../services/api.js');
const { createHttp } = require('../../services/http.js');
const { createSession } = require('../../services/session.js');
const { createWxTransport } = require('../../services/transports/wx.js');
const { createClient } = require('../../services/webSocketClient.js');

/** The services of a mini-program on a device, wired as the app wires them. */
function createServices(device, baseUrl, deviceId = 'device-of-the-client-tests') {
  const { wx, clock } = device;
  const web = createHttp({ wx, baseUrl, clock });
  const session = createSession({ wx, http: web, clock, credentials: () => ({ device_id: deviceId }) });
  return { http: web, session, api: createApi({ http: web, session, clock }), transport: createWxTransport({ wx, baseUrl }) };
}

/** Follows a stream, and keeps what came and everything that must not be: a gap, a repetition, a wrong order. */
function follow(device, { stream, services, random }) {
  const follower = { events: [], wrong: [], states: [], resets: 0, fatal: null, isDone: false };
  follower.client = createClient({
    stream,
    transport: services.transport,
    getToken: services.session.getToken,
    clock: device.clock,
    random,
    onEvents(events) {
      events.forEach((event) => {
        const expected = follower.events.length + 1;
        if (event[0] !== expected) follower.wrong.push(`${event[0]} instead of ${expected}`);
        follower.events.push(event);
      });
      if (follower.onEvents) follower.onEvents(events);
    },
    onState(state) {
      follower.states.push([state, performance.now()]);
      if (state === 'done') follower.isDone = true;
    },
    onReset() {
      follower.resets += 1;
      follower.events = [];
    },
    onFatal: (failure) => { follower.fatal = failure; },
  });
  return follower;
}

/** Starts a diagnosis; at most 20 questions, and so many answers of each platform and repeat. */
async function order(services, { platforms, questions, repeats = 1 }) {
  const name = Math.random().toString(36).slice(2, 10);
  const body = {
    brand: `品牌${name}`,
    questions: Array.from({ length: questions }, (_, i) => `${name} 的第 ${i + 1} 个问题？`),
    platforms,
    repeats,
  };
  return services.api.createDiagnosis(body, services.api.createKey());
}

/** The whole log, straight from the site. */
async function readLog(services, stream) {
  const events = [];
  const { token } = await services.session.getToken();
  for (;;) {
    const path = `/api/streams/${stream}/events?after=${events.length}&wait=0`;
    const { body } = await services.http.send({ path, token });
    events.push(...body.events);
    if (events.length >= body.last) return events;
  }
}

module.exports = { createServices, follow, order, readLog };
