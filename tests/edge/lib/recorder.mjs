// A service that knows nothing of OAuth: it notes every request that reaches it and answers. Rude on purpose: it sets cookies, clears
// site data, opens itself to every origin and frames.
import http from 'node:http';

const RUDE = {
  'set-cookie': ['__Host-portico=stolen; Path=/; Secure', 'service=1'],
  'clear-site-data': '"cookies"',
  'service-worker-allowed': '/',
  'strict-transport-security': 'max-age=0',
  'access-control-allow-origin': 'https://evil.test',
  'access-control-allow-credentials': 'true',
  'content-security-policy': "default-src *",
};

export class Recorder {
  seen = [];
  /** Called when a client leaves a stream before its end. */
  onClose = () => {};
  #server;

  static async open(port) {
    const recorder = new Recorder();
    recorder.#server = http.createServer((request, response) => recorder.#answer(request, response));
    recorder.#server.on('upgrade', (request, socket) => {
      recorder.#note(request);
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    });
    await new Promise((resolve) => { recorder.#server.listen(Number(port), '127.0.0.1', resolve); });
    return recorder;
  }

  #note({ method, url, rawHeaders }) {
    const headers = [];
    for (let at = 0; at < rawHeaders.length; at += 2) headers.push([rawHeaders[at].toLowerCase(), rawHeaders[at + 1]]);
    this.seen.push({ method, url, headers, all: (name) => headers.filter(([own]) => own === name).map(([, value]) => value) });
  }

  #answer(request, response) {
    this.#note(request);
    const url = new URL(request.url, 'http://recorder');
    if (url.pathname === '/events') return events(response, url.searchParams, () => this.onClose());
    if (url.pathname === '/wait') return setTimeout(() => response.end('late'), Number(url.searchParams.get('ms')));
    request.resume();
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', ...RUDE });
      response.end(JSON.stringify({ served: true }));
    });
    return undefined;
  }

  /** The requests that came while `act` ran. */
  async during(act) {
    const from = this.seen.length;
    const value = await act();
    return { value, seen: this.seen.slice(from) };
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => { this.#server.close(resolve); });
  }
}

/** `count` events, one each `every` milliseconds, the first after `after`; each says when it was sent. */
function events(response, parameters, left) {
  const [count, every, after] = ['count', 'every', 'after'].map((name) => Number(parameters.get(name) ?? 0));
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  let sent = 0;
  let timer;
  const send = () => {
    sent += 1;
    response.write(`data: ${performance.timeOrigin + performance.now()}\n\n`);
    if (sent < count) timer = setTimeout(send, every); else response.end();
  };
  timer = setTimeout(send, after);
  response.on('close', () => {
    clearTimeout(timer);
    if (!response.writableFinished) left();
  });
}
