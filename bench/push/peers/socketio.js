'use strict';

/** A Socket.IO server that forwards the feed's payloads to the sockets: `node socketio.js PORT FEED_PORT`. */
const http = require('node:http');
const { Server } = require('socket.io');
const { listen } = require('./feed.js');

const sockets = new Map();
const server = http.createServer();
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false });
io.on('connection', (socket) => {
  const index = Number(socket.handshake.query.i);
  sockets.set(index, socket);
  socket.on('disconnect', () => sockets.delete(index));
});
listen(Number(process.argv[3]), (index, payload) => {
  const socket = sockets.get(index);
  if (socket) socket.emit('events', JSON.parse(payload));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
