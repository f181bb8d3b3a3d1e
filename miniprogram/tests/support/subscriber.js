'use strict';

const { createApi } = require('../../services/api.js');
const { createHttp } = require('../../services/http.js');
const { createSession } = require('../../services/session.js');
const { createWxTransport } = require('../../services/transports/wx.js');
const { createClient } = require('../../pages/report-v2/stream/webSocketClient.js');

/** The services of a mini-program on a device, connected as in app.js. */
function createServices(device, baseUrl, deviceId = 'device-of-the-client-tests') {
  const { wx, clock } = device;
  const httpClient = createHttp({ wx, baseUrl, clock });
  const session = createSession({ wx, http: httpClient, clock, credentials: () => ({ device_id: deviceId }) });
  return { http: httpClient, session, api: createApi({ http: httpClient, session, clock }), transport: createWxTransport({ wx, baseUrl }) };
}

/** A client of a stream that records its events, and in `wrong` every gap, repetition and wrong order. */
function createSubscriber(device, { stream, services, random }) {
  const subscriber = { events: [], wrong: [], states: [], resets: 0, fatal: null, isDone: false };
  subscriber.client = createClient({
    stream,
    transport: services.transport,
    getToken: services.session.getToken,
    clock: device.clock,
    random,
    onEvents(events) {
      events.forEach((event) => {
        const expected = subscriber.events.length + 1;
        if (event[0] !== expected) subscriber.wrong.push(`${event[0]} instead of ${expected}`);
        subscriber.events.push(event);
      });
      if (subscriber.onEvents) subscriber.onEvents(events);
    },
    onState(state) {
      subscriber.states.push([state, performance.now()]);
      if (state === 'done') subscriber.isDone = true;
    },
    onReset() {
      subscriber.resets += 1;
      subscriber.events = [];
    },
    onFatal: (failure) => { subscriber.fatal = failure; },
  });
  return subscriber;
}

/** Start a diagnosis with at most 20 questions. */
async function startDiagnosis(services, { platforms, questions, repeats = 1 }) {
  const name = Math.random().toString(36).slice(2, 10);
  const body = {
    brand: `品牌${name}`,
    questions: Array.from({ length: questions }, (_, i) => `${name} 的第 ${i + 1} 个问题？`),
    platforms,
    repeats,
  };
  return services.api.createDiagnosis(body, services.api.createKey());
}

/** Load the complete log of a stream from the site. */
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

module.exports = { createServices, createSubscriber, startDiagnosis, readLog };
