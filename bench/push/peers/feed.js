'use strict';

const net = require('node:net');

/** Receive lines of `index TAB payload` over TCP, the cheapest feed. */
function listen(port, deliver) {
  net.createServer((connection) => {
    let rest = '';
    connection.setEncoding('utf8');
    connection.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const tab = line.indexOf('\t');
        deliver(Number(line.slice(0, tab)), line.slice(tab + 1));
      }
    });
    connection.on('error', () => {});
  }).listen(port, '127.0.0.1');
}

module.exports = { listen };
