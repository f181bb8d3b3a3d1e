'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');

const ROOT = path.join(__dirname, '..', '..', '..');
const PYTHON = process.env.PYTHON || path.join(ROOT, '.venv', 'bin', 'python');

/** The reason why the real site cannot run here, or null. With REQUIRE_SERVICES=1 a missing installation is an error instead. */
function whyNoSite() {
  if (fs.existsSync(PYTHON) || process.env.REQUIRE_SERVICES === '1') return null;
  return 'the site is not installed (make venv)';
}

/**
 * Start the real server as separate processes with a database of its own; site.py describes the commands. `isBehindNginx`: two
 * servers with TLS behind the shipped configuration of nginx.
 */
async function startSite(environment = {}, { isBehindNginx = false } = {}) {
  const script = path.join(__dirname, 'site.py');
  const child = spawn(PYTHON, [script, JSON.stringify(environment), ...(isBehindNginx ? ['nginx'] : [])], { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data) => { errors = (errors + data).slice(-4000); });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the site has ended: ${errors}`);
    return JSON.parse(value);
  };
  const { port, certificate } = await read();
  let last = Promise.resolve();
  return {
    port,
    /** of nginx */
    certificate: certificate && fs.readFileSync(certificate),
    url: isBehindNginx ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    send(command, details = {}) {
      last = last.then(() => {
        child.stdin.write(`${JSON.stringify({ do: command, ...details })}\n`);
        return read();
      });
      return last;
    },
    async stop() {
      const ended = new Promise((resolve) => { child.once('exit', resolve); });
      child.stdin.end();
      await ended;
    },
  };
}

/** Resolve to the time at which a port accepts connections. */
async function waitForPort(port) {
  const isOpen = () => new Promise((resolve) => {
    const probe = net.connect(port, '127.0.0.1', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  while (!await isOpen()) await new Promise((resolve) => { setTimeout(resolve, 5); });
  return performance.now();
}

module.exports = { startSite, whyNoSite, waitForPort };
