'use strict';

/** One measurement of the client's bench, as JSON: `node bench/bytes/measure.js SECONDS`. */
const bytes = require('../client/measurements.js').find(({ name }) => name === 'bytes');

bytes.measure(() => {}, { durationSeconds: Number(process.argv[2]) || 60 }).then((result) => {
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
});
