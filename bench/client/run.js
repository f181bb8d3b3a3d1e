'use strict';

/**
 * The client's figures: `make bench-client`, or some of them: `ROWS=restart,comeBack make bench-client`.
 * The site, its sockets and its kills are real; CUTS and STORMED set how many cuts the first two rows have.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const rows = require('./rows.js');

const RESULTS = path.join(__dirname, '..', 'results', 'client.json');
const TELL_EVERY_MS = 10000;
const HEADS = { figure: 'figure', must_be: 'must be', measured: 'measured', held: '' };

const tell = (text) => process.stderr.write(`${text}\n`);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(0)} s`;

function print(figures) {
  const table = [HEADS, ...figures.map((row) => ({ ...row, held: row.is_held ? 'held' : 'NOT HELD' }))];
  const width = (key) => Math.max(...table.map((row) => row[key].length));
  const lines = table.map((row) => Object.keys(HEADS).map((key) => row[key].padEnd(width(key))).join('  ').trimEnd());
  process.stdout.write(`\n${lines.join('\n')}\n${figures.filter((row) => row.is_held).length} of ${figures.length} held\n`);
}

function chosenRows() {
  const names = (process.env.ROWS || '').split(',').map((name) => name.trim()).filter(Boolean);
  const unknown = names.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length) {
    tell(`error: ROWS names no row with ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}`);
    process.exit(2);
  }
  return rows.filter(({ name }) => !names.length || names.includes(name));
}

/** One row, with a word on where it is every ten seconds. */
async function measure({ name, figure, must, measure: run }, place) {
  const began = performance.now();
  let where = '';
  tell(`${place} ${name}: ${figure}`);
  const telling = setInterval(() => tell(`${place} ${name}: ${seconds(began)}${where && `, ${where}`}`), TELL_EVERY_MS);
  const { text, isHeld, ...numbers } = await run((text_) => { where = text_; })
    .catch((error) => ({ text: `failed: ${error.message}`, isHeld: false, error: error.stack }))
    .finally(() => clearInterval(telling));
  tell(`${place} ${name}: ${text} (${seconds(began)})`);
  return { name, figure, must_be: must, measured: text, is_held: isHeld, at: new Date().toISOString(), seconds: (performance.now() - began) / 1000, ...numbers };
}

/** Rows that were measured alone replace their own; the others keep what they had, and when. */
function write(measured) {
  const before = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, 'utf8')).figures || [] : [];
  const figures = rows.map(({ name }) => [...measured, ...before].find((row) => row.name === name)).filter(Boolean);
  const machine = { cores: os.cpus().length, node: process.versions.node, system: `${os.type()} ${os.release()}` };
  fs.mkdirSync(path.dirname(RESULTS), { recursive: true });
  fs.writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), machine, figures }, null, 2)}\n`);
}

async function main() {
  const chosen = chosenRows();
  const figures = [];
  for (const row of chosen) figures.push(await measure(row, `[${figures.length + 1}/${chosen.length}]`));
  print(figures);
  write(figures);
  // Clients of a row that failed would keep the process for ever.
  process.exit(figures.every((row) => row.is_held) ? 0 : 1);
}

main();
