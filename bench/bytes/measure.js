'use strict';

/** One row of the client's bench, as JSON: `node bench/bytes/measure.js SECONDS`. */
const row = require('../client/rows.js').find(({ name }) => name === 'bytes');

row.measure(() => {}, { lasting: Number(process.argv[2]) || 60 }).then((found) => {
  process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit(0);
});
