// The peer that one would write with Node.js and `ws`: a set of sockets per topic. Prints its port as JSON, and ends
// with its parent, who holds the other end of standard input.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

const followers = new Map();

function publish(topic, body) {
  for (const socket of followers.get(topic) ?? []) {
    socket.send(body, { binary: false });
  }
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (request.method !== 'POST' || url.pathname !== '/publish') {
    response.writeHead(404).end();
    return;
  }
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    publish(url.searchParams.get('topic'), Buffer.concat(parts));
    response.writeHead(202).end();
  });
});
server.keepAliveTimeout = 0;

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket, request) => {
  const topics = new URL(request.url, 'http://localhost').searchParams.get('topics').split(',');
  for (const topic of topics) {
    if (!followers.has(topic)) followers.set(topic, new Set());
    followers.get(topic).add(socket);
  }
  socket.on('close', () => topics.forEach((topic) => followers.get(topic).delete(socket)));
  socket.on('error', () => socket.terminate());
});

server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const { port } = server.address();
  console.log(JSON.stringify({ clients: port, events: port }));
});
process.stdin.on('end', () => process.exit(0)).resume();
