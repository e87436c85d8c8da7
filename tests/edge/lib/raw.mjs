// HTTP/1.1 over TLS, byte by byte: sends what was written and hides nothing of what came back.
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import net from 'node:net';

export const HOST = process.env.EDGE_HOST;
export const PORT = Number(process.env.EDGE_PORT);
/** What a right Host header says. */
export const AUTHORITY = `${HOST}:${PORT}`;
export const ORIGIN = `https://${AUTHORITY}`;
const CA = readFileSync(process.env.EDGE_CA);
const ANSWER_MS = 15_000;

/** A request without a body. Headers are an object, or pairs where names repeat. */
export function get(target, headers = {}, method = 'GET') {
  return request(method, target, headers);
}

/** A request as text; `host` and `connection` stand there unless they are given. */
export function request(method, target, headers = {}, body = '') {
  const pairs = Array.isArray(headers) ? [...headers] : Object.entries(headers);
  const has = (name) => pairs.some(([own]) => own.toLowerCase() === name);
  if (!has('host')) pairs.unshift(['Host', AUTHORITY]);
  if (!has('connection')) pairs.push(['Connection', 'close']);
  if (body && !has('content-length') && !has('transfer-encoding')) pairs.push(['Content-Length', Buffer.byteLength(body)]);
  return `${method} ${target} HTTP/1.1\r\n${pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** Opens a connection to the edge. */
export function connect({ port = PORT, servername = HOST, alpn = 'http/1.1', secure = true } = {}) {
  return new Promise((resolve, reject) => {
    const socket = secure
      ? tls.connect({ host: '127.0.0.1', port, servername, ALPNProtocols: [alpn], ca: CA }, () => resolve(socket))
      : net.connect({ host: '127.0.0.1', port }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends bytes and reads until the other side closes, or says nothing more for a while. Status 0: closed without a word. */
export async function send(bytes, options = {}) {
  const socket = await connect(options);
  const chunks = [];
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); socket.destroy(); resolve(parse(Buffer.concat(chunks))); };
    const timer = setTimeout(done, options.ms ?? ANSWER_MS);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', done);
    socket.on('error', done);
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
}

function parse(bytes) {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return { status: 0, headers: [], body: '', text, header: () => undefined, all: () => [] };
  const [first, ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
  const all = (name) => headers.filter(([own]) => own === name).map(([, value]) => value);
  return { status: Number(first.split(' ')[1]), headers, all, header: (name) => all(name)[0], body: text.slice(end + 4), text };
}
