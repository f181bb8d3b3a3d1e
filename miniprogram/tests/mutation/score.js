'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const MINIPROGRAM = path.join(__dirname, '..', '..');
const SCORE = path.join(__dirname, 'score.json');
const hash = (text) => crypto.createHash('sha256').update(text).digest('hex');

/** The counts of a Stryker report, with the hash of each mutated file. */
function summarize({ files }) {
  const summarizeFile = ({ source, mutants }) => {
    const count = (...kinds) => mutants.filter((mutant) => kinds.includes(mutant.status)).length;
    return { sha256: hash(source), found: count('Killed', 'Timeout'), lived: count('Survived', 'NoCoverage') };
  };
  return Object.fromEntries(Object.entries(files).map(([name, file]) => [name, summarizeFile(file)]));
}

/** Return the score of the last run, with the files that have changed since. */
function readScore() {
  const files = JSON.parse(fs.readFileSync(SCORE, 'utf8'));
  const sum = (key) => Object.values(files).reduce((total, file) => total + file[key], 0);
  const mutants = sum('found') + sum('lived');
  const isStale = (name) => {
    const file = path.join(MINIPROGRAM, name);
    return !fs.existsSync(file) || hash(fs.readFileSync(file, 'utf8')) !== files[name].sha256;
  };
  return { score: (100 * sum('found')) / mutants, mutants, stale: Object.keys(files).filter(isStale) };
}

if (require.main === module) {
  const report = process.argv[2] || path.join(MINIPROGRAM, 'reports', 'mutation.json');
  // A run with --mutate replaces only the counts of its files.
  const counts = { ...JSON.parse(fs.readFileSync(SCORE, 'utf8')), ...summarize(JSON.parse(fs.readFileSync(report, 'utf8'))) };
  fs.writeFileSync(SCORE, `${JSON.stringify(counts, null, 2)}\n`);
}

module.exports = { readScore };
