'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { runWithFaults } = require('../support/networkFaults.js');

/** Repeat the run of a failure with its seed: FAULT_SEED=17 node --test tests/client/networkFaults.test.js */
const ONE_SEED = Number(process.env.FAULT_SEED);
const SEEDS = ONE_SEED ? [ONE_SEED] : Array.from({ length: Number(process.env.FAULT_RUNS) || 300 }, (_, i) => i + 1);
const MIN_CUTS_PER_RUN = 8;

test('under random network faults no event is lost, repeated or out of order, and the client reaches the end', async () => {
  let cuts = 0;
  for (const seed of SEEDS) cuts += await runWithFaults(seed);
  assert.ok(ONE_SEED || cuts >= MIN_CUTS_PER_RUN * SEEDS.length, `only ${cuts} cuts`);
});
