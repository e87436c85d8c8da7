// The loopback address where a native client waits for its answer (RFC 8252 §7.3).
import http from 'node:http';

/** Listens on a free port of 127.0.0.1; `answer` resolves with the parameters of the first redirect that arrives. */
export async function listenForCallback() {
  let arrived;
  const answer = new Promise((resolve) => { arrived = resolve; });
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    if (url.pathname !== '/callback') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain' }).end('The client has its answer.');
    arrived(url.searchParams);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const redirectUri = `http://127.0.0.1:${server.address().port}/callback`;
  return { redirectUri, answer, close: () => server.close() };
}
