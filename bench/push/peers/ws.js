'use strict';

/** A server on node's `ws` that forwards the feed's payloads to the sockets: `node ws.js PORT FEED_PORT`. */
const path = require('node:path');
const { listen } = require('./feed.js');

const { WebSocketServer } = require(path.join(__dirname, '..', '..', '..', 'miniprogram', 'node_modules', 'ws'));

const sockets = new Map();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false });
server.on('connection', (socket, request) => {
  const index = Number(request.url.slice(1));
  sockets.set(index, socket);
  socket.on('close', () => sockets.delete(index));
  socket.send('welcome');
});
listen(Number(process.argv[3]), (index, payload) => {
  const socket = sockets.get(index);
  if (socket) socket.send(payload);
});
