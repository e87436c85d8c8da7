// The suite's `server` mode has no option for a token, so this stands in front and adds one.
//
// A loopback reverse proxy: everything passes through unchanged but `Authorization`, and `Host` and `Origin` where they
// name the proxy itself. A foreign Host or Origin must reach the server: the DNS-rebinding scenario asks for its refusal.
import http from 'node:http';

/** Starts the proxy before `target` (an origin); `token()` is asked anew for each request. */
export async function startProxy(target, token) {
  const upstream = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const own = `127.0.0.1:${server.address().port}`;
    const headers = { ...request.headers, authorization: `Bearer ${token()}` };
    if (isOwn(headers.host, own)) headers.host = upstream.host;
    if (headers.origin && isOwn(headers.origin.replace(/^http:\/\//, ''), own)) headers.origin = upstream.origin;
    const forward = http.request({
      agent, host: upstream.hostname, port: upstream.port, method: request.method, path: request.url, headers,
    }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      // An event stream may stay silent after its headers: the client must see them now.
      response.flushHeaders();
      answer.pipe(response);
    });
    forward.setNoDelay(true);
    forward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    // A client that goes away ends its stream at the server too.
    response.on('close', () => forward.destroy());
    request.pipe(forward);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const close = () => { agent.destroy(); server.closeAllConnections(); server.close(); };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

function isOwn(authority, own) {
  return authority === own || authority === own.replace('127.0.0.1', 'localhost');
}
