'use strict';

/**
 * The benchmark of the client: `make bench-client`, or single measurements: `ROWS=restart,comeBack make bench-client`.
 * The site, its sockets and its kills are real; STORMED and CUTS set the number of cuts of the first two measurements.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const measurements = require('./measurements.js');

const RESULTS = path.join(__dirname, '..', 'results', 'client.json');
const PROGRESS_INTERVAL_MS = 10000;
const HEADERS = { figure: 'figure', must_be: 'required', measured: 'measured', held: '' };

const log = (text) => process.stderr.write(`${text}\n`);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(0)} s`;

function print(figures) {
  const table = [HEADERS, ...figures.map((row) => ({ ...row, held: row.is_held ? 'passed' : 'FAILED' }))];
  const width = (key) => Math.max(...table.map((row) => row[key].length));
  const lines = table.map((row) => Object.keys(HEADERS).map((key) => row[key].padEnd(width(key))).join('  ').trimEnd());
  process.stdout.write(`\n${lines.join('\n')}\n${figures.filter((row) => row.is_held).length} of ${figures.length} passed\n`);
}

function selectMeasurements() {
  const names = (process.env.ROWS || '').split(',').map((name) => name.trim()).filter(Boolean);
  const unknown = names.filter((name) => !measurements.some((one) => one.name === name));
  if (unknown.length) {
    log(`error: unknown ROWS: ${unknown.join(', ')}; known are ${measurements.map(({ name }) => name).join(', ')}`);
    process.exit(2);
  }
  return measurements.filter(({ name }) => !names.length || names.includes(name));
}

/** Run one measurement and print its progress every ten seconds. */
async function measure({ name, figure, must, measure: run }, position) {
  const startedAt = performance.now();
  let progress = '';
  log(`${position} ${name}: ${figure}`);
  const timer = setInterval(() => log(`${position} ${name}: ${seconds(startedAt)}${progress && `, ${progress}`}`), PROGRESS_INTERVAL_MS);
  const { text, isHeld, ...numbers } = await run((current) => { progress = current; })
    .catch((error) => ({ text: `failed: ${error.message}`, isHeld: false, error: error.stack }))
    .finally(() => clearInterval(timer));
  log(`${position} ${name}: ${text} (${seconds(startedAt)})`);
  return { name, figure, must_be: must, measured: text, is_held: isHeld, at: new Date().toISOString(), seconds: (performance.now() - startedAt) / 1000, ...numbers };
}

/** Store the results; measurements that were not run keep their last one. */
function write(measured) {
  const before = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, 'utf8')).figures || [] : [];
  const figures = measurements.map(({ name }) => [...measured, ...before].find((row) => row.name === name)).filter(Boolean);
  const machine = { cores: os.cpus().length, node: process.versions.node, system: `${os.type()} ${os.release()}` };
  fs.mkdirSync(path.dirname(RESULTS), { recursive: true });
  fs.writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), machine, figures }, null, 2)}\n`);
}

async function main() {
  const selected = selectMeasurements();
  const figures = [];
  for (const one of selected) figures.push(await measure(one, `[${figures.length + 1}/${selected.length}]`));
  print(figures);
  write(figures);
  // Clients of a failed measurement would keep the process alive.
  process.exit(figures.every((row) => row.is_held) ? 0 : 1);
}

main();
