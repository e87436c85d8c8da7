// Ways to reach a protected service without a token. Each must end in a refusal, and nothing may have reached the service.
import assert from 'node:assert/strict';
import { ask } from '../lib/h2.mjs';
import { AUTHORITY, HOST, PORT, connect, get, request, send } from '../lib/raw.mjs';
import { rule } from '../lib/rules.mjs';

const PATH = '/recorder/mcp';

/** HTTP/1.1: a name, the bytes, and the statuses that are right; 0 is a closed door. */
const WAYS = [
  ['no token', get(PATH), [401]],
  ['no token, POST', request('POST', PATH, { 'content-type': 'application/json' }, '{}'), [401]],
  ['no token, HEAD', get(PATH, {}, 'HEAD'), [401]],
  ['the bare name', get('/recorder'), [401]],
  ['the name and a slash', get('/recorder/'), [401]],
  ['a double slash in front', get(`/${PATH}`), [401]],
  ['a double slash inside', get('/recorder//mcp'), [401]],
  ['a dot segment', get('/./recorder/./mcp'), [401]],
  ['up from elsewhere', get('/x/../recorder/mcp'), [401]],
  ['up from the MCP server', get('/mcp/../recorder/mcp'), [401]],
  ['up from a public document', get('/.well-known/../recorder/mcp'), [401]],
  ['encoded dots', get('/x/%2e%2e/recorder/mcp'), [401]],
  ['an encoded letter', get('/%72ecorder/mcp'), [401]],
  ['every letter encoded', get('/%72%65%63%6f%72%64%65%72/%6d%63%70'), [401]],
  ['an encoded slash', get('/recorder%2Fmcp'), [400]],
  ['an encoded slash, lower case', get('/recorder%2fmcp'), [400]],
  ['an encoded slash after dots', get('/x/..%2Frecorder/mcp'), [400]],
  ['out again by an encoded slash', get('/recorder/mcp/..%2ftoken'), [400]],
  ['an encoded backslash', get('/x/..%5crecorder/mcp'), [400]],
  ['a backslash', get('/x\\..\\recorder/mcp'), [400, 404]],
  ['an encoded percent sign', get('/recorder/%252e%252e/mcp'), [400]],
  ['an encoded NUL', get('/recorder/mcp%00'), [400]],
  ['an encoded semicolon', get('/recorder%3Bx/mcp'), [400]],
  ['an encoded question mark', get('/recorder/mcp%3Fx'), [400]],
  ['an encoded hash', get('/recorder/mcp%23x'), [400]],
  ['a broken escape', get('/recorder/%zz'), [400]],
  ['another case', get('/RECORDER/mcp'), [404]],
  ['a longer name', get('/recorderx/mcp'), [404]],
  ['a parameter in the name', get('/recorder;x=1/mcp'), [400, 404]],
  ['an encoded space', get('/recorder%20/mcp'), [404]],
  ['a line break in the path', get('/recorder/mcp%0d%0aAuthorization:%20Bearer%20x'), [400, 401]],
  ['an absolute target', get(`http://${AUTHORITY}${PATH}`), [401]],
  ['an absolute target, https', get(`https://${AUTHORITY}${PATH}`), [401]],
  ['an absolute target of another host', get(`http://evil.test${PATH}`), [404, 421]],
  ['an absolute target under another Host', get(`http://${AUTHORITY}${PATH}`, { Host: 'evil.test' }), [401]],
  ['a trailing dot in the host', get(PATH, { Host: `${HOST}.:${PORT}` }), [401]],
  ['the host in capitals', get(PATH, { Host: `${HOST.toUpperCase()}:${PORT}` }), [401]],
  ['another port in the host', get(PATH, { Host: `${HOST}:1` }), [401, 421]],
  ['another host', get(PATH, { Host: 'evil.test' }), [404, 421]],
  ['two hosts', get(PATH, [['Host', AUTHORITY], ['Host', 'evil.test']]), [400]],
  ['no host', `GET ${PATH} HTTP/1.1\r\nConnection: close\r\n\r\n`, [400]],
  ['HTTP/1.0', `GET ${PATH} HTTP/1.0\r\nHost: ${AUTHORITY}\r\n\r\n`, [401]],
  ['forged X-Forwarded-Uri', get(PATH, { 'X-Forwarded-Uri': '/.well-known/oauth-authorization-server' }), [401]],
  ['forged X-Forwarded-Method', get(PATH, { 'X-Forwarded-Method': 'OPTIONS' }), [401]],
  ['forged X-Forwarded-Host', get(PATH, { 'X-Forwarded-Host': 'evil.test' }), [401]],
  ['forged X-Forwarded-Proto', get(PATH, { 'X-Forwarded-Proto': 'http' }), [401]],
  ['forged X-Forwarded-For', get(PATH, { 'X-Forwarded-For': '127.0.0.1', 'X-Real-Ip': '127.0.0.1' }), [401]],
  ['forged Forwarded', get(PATH, { Forwarded: `for=127.0.0.1;host=${HOST};proto=https` }), [401]],
  ['forged X-Auth-Sub', get(PATH, { 'X-Auth-Sub': 'admin', 'X-Auth-Scope': 'recorder:use' }), [401]],
  ['forged X_Auth_Sub', get(PATH, { X_Auth_Sub: 'admin', X_AUTH_SUB: 'admin' }), [401]],
  ['forged Remote-User', get(PATH, { 'Remote-User': 'admin', 'X-Remote-User': 'admin' }), [401]],
  ['headers of the question named by Connection', get(PATH, { Connection: 'close, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host', 'X-Forwarded-Uri': '/' }), [401]],
  ['Authorization named by Connection', get(PATH, { Connection: 'close, Authorization', Authorization: 'Bearer x' }), [401]],
  ['a rewritten address in a header', get('/', { 'X-Original-Url': PATH, 'X-Rewrite-Url': PATH, 'X-Forwarded-Uri': PATH }), [200]],
  ['another method in a header', get(PATH, { 'X-Http-Method-Override': 'OPTIONS' }), [401]],
  ['TRACE', get(PATH, {}, 'TRACE'), [405]],
  ['CONNECT', `CONNECT ${AUTHORITY} HTTP/1.1\r\nHost: ${AUTHORITY}\r\nConnection: close\r\n\r\n`, [400, 401, 404, 405]],
  ['an invented method', get(PATH, {}, 'RECORD'), [405]],
  ['OPTIONS that is no preflight', get(PATH, {}, 'OPTIONS'), [401]],
  ['a preflight', get(PATH, { Origin: 'https://inspector.test', 'Access-Control-Request-Method': 'POST' }, 'OPTIONS'), [200, 204]],
  ['a web socket', get(PATH, { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' }), [401]],
  ['an upgrade to h2c', get(PATH, { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }), [401]],
  ['a token in the query', get(`${PATH}?access_token=x`), [401]],
  ['a token in a cookie', get(PATH, { Cookie: 'access_token=x; authorization=Bearer%20x' }), [401]],
  ['a token in a form', request('POST', PATH, { 'content-type': 'application/x-www-form-urlencoded' }, 'access_token=x'), [401]],
  ['a password', get(PATH, { Authorization: 'Basic YWRtaW46YWRtaW4=' }), [401]],
  ['an empty bearer', get(PATH, { Authorization: 'Bearer ' }), [400, 401]],
  ['two authorizations', get(PATH, [['Authorization', 'Bearer a'], ['Authorization', 'Bearer b']]), [400]],
  ['an unsigned token', get(PATH, { Authorization: `Bearer ${unsigned()}` }), [401]],
  ['a request smuggled behind Content-Length and Transfer-Encoding', smuggled('Transfer-Encoding: chunked'), [200, 400]],
  ['a request smuggled behind a misspelt Transfer-Encoding', smuggled('Transfer-Encoding : chunked'), [400]],
  ['a request smuggled behind an unknown Transfer-Encoding', smuggled('Transfer-Encoding: xchunked'), [400, 501]],
  ['a second request on the same connection', `${get('/', { Connection: 'keep-alive' })}${get(PATH)}`, [200]],
  ['a folded header', `GET ${PATH} HTTP/1.1\r\nHost: ${AUTHORITY}\r\nX-A: b\r\n Authorization: Bearer x\r\nConnection: close\r\n\r\n`, [400, 401]],
  ['a bare line feed', `GET ${PATH} HTTP/1.1\nHost: ${AUTHORITY}\nConnection: close\n\n`, [400, 401]],
];

function unsigned() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ iss: `https://${AUTHORITY}`, aud: `https://${AUTHORITY}${PATH}`, sub: 'admin', scope: 'recorder:use', exp: 4e9 })}.`;
}

/** A request to a public path whose body, read in another way, is a request to the service. */
function smuggled(encoding) {
  const hidden = `0\r\n\r\nGET ${PATH} HTTP/1.1\r\nHost: ${AUTHORITY}\r\nX: `;
  return `GET / HTTP/1.1\r\nHost: ${AUTHORITY}\r\nContent-Length: ${hidden.length}\r\n${encoding}\r\nConnection: close\r\n\r\n${hidden}`;
}

const pseudo = (more = {}) => Object.entries({ ':method': 'GET', ':scheme': 'https', ':authority': AUTHORITY, ':path': PATH, ...more });

/** HTTP/2: a name, the header pairs, and the statuses that are right where there is an answer at all. */
const WAYS_2 = [
  ['no token', pseudo(), [401]],
  ['a double slash', pseudo({ ':path': `/${PATH}` }), [401]],
  ['up from elsewhere', pseudo({ ':path': '/x/../recorder/mcp' }), [401]],
  ['an encoded slash', pseudo({ ':path': '/recorder%2Fmcp' }), [400]],
  ['an encoded letter', pseudo({ ':path': '/%72ecorder/mcp' }), [401]],
  ['no leading slash', pseudo({ ':path': 'recorder/mcp' }), [400]],
  ['an absolute path', pseudo({ ':path': `https://${AUTHORITY}${PATH}` }), [400, 401, 404]],
  ['a star', pseudo({ ':path': '*' }), [400, 404]],
  ['an empty path', pseudo({ ':path': '' }), [400]],
  ['a line break in the path', pseudo({ ':path': `${PATH} HTTP/1.1\r\nauthorization: Bearer x` }), [400]],
  ['two paths', [...pseudo({ ':path': '/' }), [':path', PATH]], [400]],
  ['two authorities', [...pseudo(), [':authority', 'evil.test']], [400]],
  ['another host beside the authority', [...pseudo(), ['host', 'evil.test']], [400, 401]],
  ['another authority beside the host', [...pseudo({ ':authority': 'evil.test' }), ['host', AUTHORITY]], [400, 404, 421]],
  ['userinfo in the authority', pseudo({ ':authority': `admin@${AUTHORITY}` }), [400, 404, 421]],
  ['a trailing dot in the authority', pseudo({ ':authority': `${HOST}.:${PORT}` }), [401]],
  ['the scheme http', pseudo({ ':scheme': 'http' }), [400, 401]],
  ['a name in capitals', [...pseudo(), ['X-Auth-Sub', 'admin']], [400]],
  ['a pseudo header after the others', [['x-a', 'b'], ...pseudo()], [400]],
  ['an invented pseudo header', [...pseudo(), [':uri', '/']], [400]],
  ['connection', [...pseudo(), ['connection', 'x-forwarded-uri']], [400]],
  ['transfer-encoding', [...pseudo(), ['transfer-encoding', 'chunked']], [400]],
  ['forged forwarded headers', [...pseudo(), ['x-forwarded-uri', '/'], ['x-forwarded-method', 'OPTIONS'], ['x-auth-sub', 'admin'], ['x_auth_sub', 'admin']], [401]],
  ['two authorizations', [...pseudo(), ['authorization', 'Bearer a'], ['authorization', 'Bearer b']], [400]],
  ['CONNECT', [[':method', 'CONNECT'], [':authority', AUTHORITY]], [400, 404, 405]],
  ['extended CONNECT', [...pseudo({ ':method': 'CONNECT' }), [':protocol', 'websocket']], [400, 401, 405]],
];

export async function run({ recorder }) {
  for (const [name, bytes, right] of WAYS) {
    await rule(`refused without a token: ${name}`, async () => {
      const { value, seen } = await recorder.during(() => send(bytes));
      assert.deepEqual(seen, [], 'it reached the service');
      assert.ok(right.includes(value.status), `status ${value.status}: ${value.text.slice(0, 200)}`);
    });
  }
  for (const [name, pairs, right] of WAYS_2) {
    await rule(`refused without a token over HTTP/2: ${name}`, async () => {
      const { value, seen } = await recorder.during(() => ask(pairs));
      assert.deepEqual(seen, [], 'it reached the service');
      const isRefused = value.outcome === 'reset' || value.outcome === 'closed' || right.includes(value.status);
      assert.ok(isRefused, JSON.stringify(value));
    });
  }
  await rule('refused without a token: the name in the handshake is another than in Host', async () => {
    const { value, seen } = await recorder.during(() => send(get(PATH), { servername: process.env.EDGE_ID_HOST }));
    assert.deepEqual(seen, []);
    assert.ok([401, 421].includes(value.status), `${value.status}`);
  });
  await rule('a handshake for a name that is nobody\'s is refused', async () => {
    await assert.rejects(connect({ servername: 'evil.test' }), /unrecognized name|alert|reset|disconnected/i);
  });
  await rule('refused without a token: no name in the handshake, which is the certificate\'s own address', async () => {
    const { value, seen } = await recorder.during(() => send(get(PATH), { servername: '' }));
    assert.deepEqual([value.status, seen.length], [401, 0]);
  });
  await rule('in the clear there is nothing but the way to TLS', async () => {
    const port = Number(process.env.EDGE_CLEAR_PORT);
    const { value, seen } = await recorder.during(() => send(get(PATH, { Host: HOST, Authorization: 'Bearer x' }), { port, secure: false }));
    assert.deepEqual(seen, []);
    assert.ok([301, 308].includes(value.status), `${value.status}`);
    assert.equal(value.header('location'), `https://${HOST}${PATH}`);
  });
}
