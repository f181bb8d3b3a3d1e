'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { weather } = require('./support/storm.js');

/** One run with the seed that a failure printed: STORM_SEED=17 node --test tests/anyNetwork.test.js */
const ONE_SEED = Number(process.env.STORM_SEED);
const SEEDS = ONE_SEED ? [ONE_SEED] : Array.from({ length: Number(process.env.STORMS) || 300 }, (_, i) => i + 1);
const MIN_CUTS_PER_STORM = 8;

test('whatever the network does, no event is lost, repeated or out of order, and the end is reached', async () => {
  let cuts = 0;
  for (const seed of SEEDS) cuts += await weather(seed);
  assert.ok(ONE_SEED || cuts >= MIN_CUTS_PER_STORM * SEEDS.length, `only ${cuts} cuts`);
});
