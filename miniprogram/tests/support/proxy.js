'use strict';

const net = require('node:net');

/**
 * The network between a client and the site: forwards and counts all bytes, and injects failures:
 *
 *   cut(how)    lose the open connections: 'reset', 'end', 'half' (within the next data), 'silent' (half-open)
 *   onArrival   decides about a new connection by its first bytes: 'pass', 'refuse', 'swallow' (open but silent)
 */
async function startProxy(targetPort, { onArrival = () => 'pass' } = {}) {
  const pairs = new Set();
  const proxy = { onArrival, bytesUp: 0, bytesDown: 0, opened: 0, cut, stop, port: 0, open: () => pairs.size };

  const server = net.createServer((client) => {
    proxy.opened += 1;
    client.setNoDelay(true);
    client.on('error', () => {});
    client.once('data', (first) => {
      const verdict = proxy.onArrival(first.toString('latin1'));
      if (verdict === 'refuse') client.resetAndDestroy();
      else if (verdict === 'pass') join(client, first);
    });
  });

  function join(client, first) {
    const upstream = net.connect(targetPort, '127.0.0.1');
    const pair = { client, upstream, heard: 0, isSilent: false, breaksNext: false };
    pairs.add(pair);
    upstream.setNoDelay(true);
    const up = (data) => {
      if (pair.isSilent) return;
      proxy.bytesUp += data.length;
      upstream.write(data);
    };
    up(first);
    client.on('data', up);
    upstream.on('data', (data) => pass(pair, data));
    upstream.on('error', () => client.destroy());
    const part = () => {
      pairs.delete(pair);
      if (!pair.isSilent) client.end();
      upstream.destroy();
    };
    client.on('close', part);
    upstream.on('close', part);
  }

  function pass(pair, data) {
    if (pair.isSilent) return;
    pair.heard += data.length;
    if (pair.breaksNext) {
      pair.client.write(data.subarray(0, Math.floor(data.length / 2)), () => pair.client.resetAndDestroy());
      pair.isSilent = true;
      return;
    }
    proxy.bytesDown += data.length;
    pair.client.write(data);
  }

  /** Return the number of lost connections over which the site had sent data. */
  function cut(how) {
    const victims = Array.from(pairs).filter((pair) => !pair.isSilent && !pair.breaksNext);
    victims.forEach((pair) => {
      if (how === 'half') pair.breaksNext = true;
      else if (how === 'silent') pair.isSilent = true;
      else if (how === 'end') pair.upstream.destroy();
      else pair.client.resetAndDestroy();
    });
    return victims.filter((pair) => pair.heard > 0).length;
  }

  async function stop() {
    pairs.forEach((pair) => {
      pair.client.destroy();
      pair.upstream.destroy();
    });
    await new Promise((resolve) => { server.close(resolve); });
  }

  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  proxy.port = server.address().port;
  return proxy;
}

module.exports = { startProxy };
