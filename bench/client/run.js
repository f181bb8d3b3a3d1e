'use strict';

/**
 * The client's figures: `make bench-client`, or some of them: `node bench/client/run.js bytes restart`.
 * The site, its sockets and its kills are real; CUTS and STORMED set how many cuts the first two rows have.
 */
const fs = require('node:fs');
const path = require('node:path');
const rows = require('./rows.js');

const RESULTS = path.join(__dirname, '..', 'results', 'client.json');

function print(table) {
  const width = (key) => Math.max(...table.map((row) => row[key].length));
  const lines = table.map((row) => ['figure', 'must', 'measured', 'held'].map((key) => row[key].padEnd(width(key))).join('  ').trimEnd());
  process.stdout.write(`\n${lines.join('\n')}\n`);
}

async function main() {
  const wanted = process.argv.slice(2);
  const chosen = rows.filter((row) => !wanted.length || wanted.includes(row.name));
  const measured = [];
  for (const row of chosen) {
    process.stderr.write(`${row.name} ...\n`);
    const { text, isHeld, ...numbers } = await row.measure().catch((error) => ({ text: `failed: ${error.stack}`, isHeld: false }));
    measured.push({ name: row.name, figure: row.figure, must: row.must, measured: text, isHeld, ...numbers });
    process.stderr.write(`${row.name}: ${text}\n`);
  }
  const held = measured.filter((row) => row.isHeld).length;
  print([
    { figure: 'figure', must: 'must be', measured: 'measured', held: '' },
    ...measured.map((row) => ({ ...row, held: row.isHeld ? 'held' : 'NOT HELD' })),
  ]);
  process.stdout.write(`${held} of ${measured.length} held\n`);
  fs.mkdirSync(path.dirname(RESULTS), { recursive: true });
  fs.writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), held, of: measured.length, rows: measured }, null, 2)}\n`);
  process.exitCode = held === measured.length ? 0 : 1;
}

main();
