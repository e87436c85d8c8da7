// What forward-auth does with the answers of a question it asks somebody else: a /verify of our own, that misbehaves. And a door without
// any of our hardening, to see that /verify refuses by itself what such a door lets through.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { AUTHORITY, HOST, get, request, send } from '../lib/raw.mjs';
import { eventually, rule } from '../lib/rules.mjs';

const { EDGE_TRAEFIK_API: API, EDGE_ROUTES: ROUTES, EDGE_OPEN_PORT: OPEN_PORT } = process.env;
const FILE = path.join(ROUTES, 'trick-verify.yaml');

/** A router to the recorder behind the question of `address`, with the middleware that is shipped but for its address. */
const routes = (address) => `http:
  routers:
    trick-verify:
      rule: 'Host(\`${HOST}\`) && PathPrefix(\`/trick/\`)'
      priority: 150
      entryPoints: [websecure]
      middlewares: [trick-verify]
      service: service-recorder
      tls: {}
    trick-open:
      rule: 'Host(\`${HOST}\`) && PathPrefix(\`/recorder\`)'
      priority: 150
      entryPoints: [open]
      middlewares: [portico-service-auth]
      service: service-recorder
      tls: {}
    trick-open-all:
      rule: 'Host(\`${HOST}\`)'
      priority: 2
      entryPoints: [open]
      middlewares: [portico-service-auth]
      service: service-recorder
      tls: {}
  middlewares:
    trick-verify:
      forwardAuth:
        address: '${address}/verify'
        trustForwardHeader: false
        authRequestHeaders: [Authorization]
        authResponseHeaders: [Authorization, X-Request-Id]
        authResponseHeadersRegex: '(?i)^X[-_]Auth[-_]'
        preserveLocationHeader: true
        maxResponseBodySize: 65536
`;

export async function run({ recorder, token }) {
  const asked = [];
  let answer = (_, response) => response.writeHead(200).end();
  const verify = http.createServer((question, response) => {
    asked.push({ method: question.method, url: question.url, headers: question.headers, raw: question.rawHeaders });
    answer(question, response);
  });
  await new Promise((resolve) => { verify.listen(0, '127.0.0.1', resolve); });
  writeFileSync(FILE, routes(`http://127.0.0.1:${verify.address().port}`));
  await eventually('the tricks are live', async () => (await fetch(`${API}/api/rawdata`).then((found) => found.json())).routers['trick-verify@file']);
  const through = (bytes) => recorder.during(() => send(bytes));

  await rule('the question is a GET of a fixed address, with the request described and no body', async () => {
    for (const [method, target] of [['GET', '/trick/a?b=c'], ['POST', '/trick/a'], ['DELETE', '/trick/a'], ['OPTIONS', '/trick/a'], ['HEAD', '/trick/a'], ['TRACE', '/trick/a'], ['RECORD', '/trick/a']]) {
      asked.length = 0;
      await through(request(method, target, { Cookie: 'a=b', 'X-Own': 'x' }, method === 'POST' ? 'body' : ''));
      assert.equal(asked.length, 1, method);
      const [{ method: how, url, headers }] = asked;
      assert.deepEqual([how, url], ['GET', '/verify']);
      const { 'x-forwarded-method': m, 'x-forwarded-uri': uri, 'x-forwarded-host': host, 'x-forwarded-proto': proto } = headers;
      assert.deepEqual([m, uri, host, proto], [method, target, AUTHORITY, 'https']);
      for (const absent of ['content-length', 'transfer-encoding', 'cookie', 'x-own']) assert.equal(headers[absent], undefined, absent);
    }
  });

  await rule('forged descriptions are replaced, and Connection takes none of the true ones away', async () => {
    asked.length = 0;
    const forged = { 'X-Forwarded-Uri': '/public', 'X-Forwarded-Method': 'OPTIONS', 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'http', Connection: 'close, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host' };
    await through(get('/trick/true', forged));
    const { 'x-forwarded-method': m, 'x-forwarded-uri': uri, 'x-forwarded-host': host, 'x-forwarded-proto': proto } = asked[0].headers;
    assert.deepEqual([m, uri, host, proto], ['GET', '/trick/true', AUTHORITY, 'https']);
  });

  await rule('two authorizations reach the question as two', async () => {
    asked.length = 0;
    await through(get('/trick/a', [['Authorization', 'Bearer a'], ['Authorization', 'Bearer b']]));
    assert.equal(asked[0].raw.filter((word) => word.toLowerCase() === 'authorization').length, 2);
  });

  await rule('a 401 goes to the client as it is', async () => {
    answer = (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="https://x.test/y"', 'cache-control': 'no-store', 'x-own': 'kept' }).end('{"error":"x"}');
    const { value, seen } = await through(get('/trick/a'));
    assert.deepEqual([value.status, value.header('www-authenticate'), value.header('cache-control'), value.header('x-own'), value.body], [401, 'Bearer resource_metadata="https://x.test/y"', 'no-store', 'kept', '{"error":"x"}']);
    assert.deepEqual(seen, []);
  });

  await rule('a redirect keeps its relative address', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/login' }).end();
    const { value, seen } = await through(get('/trick/a'));
    assert.deepEqual([value.status, value.header('location'), seen.length], [302, '/login', 0]);
  });

  await rule('an error of the question is no pass', async () => {
    for (const status of [400, 403, 404, 429, 500, 503]) {
      answer = (_, response) => response.writeHead(status).end('why');
      const { value, seen } = await through(get('/trick/a'));
      assert.deepEqual([value.status, value.body, seen.length], [status, 'why', 0]);
    }
  });

  await rule('a question that is cut off, or answered with nonsense, is no pass', async () => {
    for (const end of ['', 'HTTP/1.1 200 OK', 'nonsense\r\n\r\n', 'HTTP/1.1 999 x\r\n\r\n']) {
      answer = (question) => question.socket.end(end);
      const { value, seen } = await through(get('/trick/a'));
      assert.ok(value.status >= 500, `${JSON.stringify(end)}: ${value.status}`);
      assert.deepEqual(seen, []);
    }
  });

  await rule('an answer larger than the limit is no pass', async () => {
    answer = (_, response) => response.writeHead(200).end('x'.repeat(100_000));
    const { value, seen } = await through(get('/trick/a'));
    assert.deepEqual([value.status, seen.length], [401, 0]);
  });

  await rule('the bearer is taken off, and what is named like an identity is what the question answered', async () => {
    answer = (_, response) => response.writeHead(200, { 'x-auth-sub': 'ada', 'x-other': 'no' }).end();
    const { seen: [seen] } = await through(get('/trick/a', { Authorization: 'Bearer x', 'X-Auth-Sub': 'root', X_Auth_Sub: 'root', 'X-Auth-Extra': 'root', 'X-Other': 'mine' }));
    assert.deepEqual([seen.all('authorization'), seen.all('x-auth-sub'), seen.all('x_auth_sub'), seen.all('x-auth-extra'), seen.all('x-other')], [[], ['ada'], [], [], ['mine']]);
  });

  await rule('a question that is answered slowly ends in a refusal', async () => {
    const waiting = [];
    answer = (_, response) => { waiting.push(response); };
    const began = Date.now();
    const seen = recorder.seen.length;
    const value = await send(get('/trick/slow'), { ms: 45_000 });
    assert.ok(value.status >= 500, `${value.status}`);
    assert.equal(recorder.seen.length, seen);
    waiting.forEach((response) => response.destroy());
    return `${value.status} after ${((Date.now() - began) / 1000).toFixed(0)} s`;
  });

  const bearer = { Authorization: `Bearer ${token}` };
  const open = (bytes) => recorder.during(() => send(bytes, { port: Number(OPEN_PORT) }));
  await rule('behind a door without hardening the tokenless are refused as well', async () => {
    for (const target of ['/recorder/mcp', '/recorder%2Fmcp', '/recorder/..%2Fx', '/recorder/%252e', '/x/%2E%2E%2Frecorder/mcp']) {
      const { value, seen } = await open(get(target));
      assert.deepEqual(seen, [], target);
      assert.ok([400, 401, 404].includes(value.status), `${target}: ${value.status}`);
    }
  });
  await rule('what such a door lets through, /verify refuses with a good token too', async () => {
    for (const target of ['/recorder/..%2ftoken', '/recorder/mcp%2Fadmin', '/recorder/%5cx', '/recorder/%3bx', '/recorder/%3fx', '/recorder/%23x', '/recorder/%25x', '/recorder/%00', '/recorder/%252e%252e/x']) {
      const { value, seen } = await open(get(target, bearer));
      assert.deepEqual([value.status, seen.length], [400, 0], `${target} ${value.body}`);
      assert.match(value.body, /encoded separators/);
    }
    const { value } = await open(get('/recorder/mcp', bearer));
    assert.equal(value.status, 200, 'and the plain path is let in');
  });
  await rule('behind a door that trusts everybody, forged headers still describe nothing to /verify', async () => {
    const { value, seen } = await open(get('/nobody/mcp', { ...bearer, 'X-Forwarded-Uri': '/recorder/mcp', 'X-Forwarded-Method': 'GET' }));
    assert.deepEqual([value.status, seen.length], [404, 0], value.body);
  });
  await rule('a body that is not asked for passes whatever its size', async () => {
    const { value, seen } = await open(request('POST', '/recorder/mcp', bearer, 'x'.repeat(20_000_000)));
    assert.deepEqual([value.status, seen.length], [200, 1]);
  });

  rmSync(FILE);
  verify.closeAllConnections();
  verify.close();
}
