'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { runChaos } = require('../support/chaos.js');
const { startSite, whyNoSite } = require('../support/site.js');

/** Repeat the run of a failure with its seed: CHAOS_SEED=17 node --test tests/client/chaos.test.js */
const SEED = Number(process.env.CHAOS_SEED) || Math.floor(Math.random() * 2 ** 31);
const CUTS = 200;

test('against the real site, the client loses, repeats and reorders no event however often its connection is cut', { skip: whyNoSite() || false }, async () => {
  const site = await startSite({ PING_SECONDS: '0.5', PONG_GRACE_SECONDS: '1' });
  try {
    await site.send('behave', { after: [0.2, 1.5] });
    const result = await runChaos({ site, cuts: CUTS, streams: 2, speed: 5, seed: SEED });
    const note = `CHAOS_SEED=${SEED}, ${JSON.stringify(result)}`;
    assert.deepEqual(result.wrong, [], note);
    assert.deepEqual(result.violations, [], note);
    assert.ok(result.cuts >= CUTS, note);
  } finally {
    await site.stop();
  }
});
