// With a good token: what the service sees, and what leaves it. With a token that is not good enough: who is told what.
import assert from 'node:assert/strict';
import { AUTHORITY, HOST, ORIGIN, PORT, get, request, send } from '../lib/raw.mjs';
import { rule } from '../lib/rules.mjs';

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** What is sent, and what the service is asked for; `null`: it is asked nothing (the answer's status follows). */
const PATHS = [
  ['/recorder/mcp', '/mcp'],
  ['/recorder/mcp?a=b&c=%2F..', '/mcp?a=b&c=%2F..'],
  ['/recorder/mcp?a;b', '/mcp?a&b'],
  ['//recorder/mcp', '/mcp'],
  ['/./recorder/mcp', '/mcp'],
  ['/x/../recorder/mcp', '/mcp'],
  ['/x/%2e%2e/recorder/mcp', '/mcp'],
  ['/%72ecorder/%6dcp', '/mcp'],
  ['/recorder/mcp/.', '/mcp'],
  ['/recorder/a//b', '/a/b'],
  ['/recorder', '/'],
  ['/recorder/', '/'],
  ['/recorder/%c3%a4', '/%C3%A4'],
  ['/recorder/a%20b', '/a%20b'],
  ['/recorder/../token', null, 405],
  ['/recorder/%2e%2e/token', null, 405],
  ['/RECORDER/mcp', null, 404],
  ['/recorderx', null, 404],
  ['/recorder;a=b', null, 404],
  ['/recorder%20', null, 404],
  ['/recorder/mcp;a=b', null, 400],
  ['/recorder/mcp/..%2ftoken', null, 400],
  ['/x/%2E%2E%2Frecorder/mcp', null, 400],
  ['/recorder%2Fadmin', null, 400],
  ['/recorder/%5c', null, 400],
  ['/recorder/\\', null, 400],
  ['/recorder/%3b', null, 400],
  ['/recorder/%3f', null, 400],
  ['/recorder/%23', null, 400],
  ['/recorder/%25', null, 400],
  ['/recorder/%00', null, 400],
  ['/recorder/#', null, 400],
  ['/recorder/%zz', null, 400],
  ['/recorder/\t', null, 400],
  ['/recorder/mcp%0d%0aX:1', '/mcp%0D%0AX:1'],
  [`http://${AUTHORITY}/recorder/mcp`, '/mcp'],
  ['http://evil.test/recorder/mcp', null, 404],
];

export async function run({ recorder, token, weak, other }) {
  const bearer = { Authorization: `Bearer ${token}` };

  for (const [path, wanted, status] of PATHS) {
    await rule(`with a token, ${JSON.stringify(path)} ${wanted ? `reaches the service as ${wanted}` : `is ${status}`}`, async () => {
      const { value, seen } = await recorder.during(() => send(get(path, bearer)));
      assert.deepEqual(seen.map(({ url }) => url), wanted ? [wanted] : [], `status ${value.status}`);
      assert.equal(value.status, wanted ? 200 : status);
    });
  }

  await rule('the service is told who calls, and nothing that opens a door', async () => {
    const { value, seen: [seen] } = await recorder.during(() => send(request('POST', '/recorder/mcp?x=1', { ...bearer, Cookie: '__Host-portico=secret; a=b', 'Content-Type': 'application/json' }, '{"a":1}')));
    assert.equal(value.status, 200);
    const claims = claimsOf(token);
    for (const [header, claim] of [['x-auth-sub', 'sub'], ['x-auth-client-id', 'client_id'], ['x-auth-scope', 'scope'], ['x-auth-grant-id', 'grant_id'], ['x-auth-token-id', 'jti']]) {
      assert.deepEqual(seen.all(header), [claims[claim]], header);
    }
    assert.deepEqual(seen.all('x-auth-service'), ['recorder']);
    assert.deepEqual(seen.all('x-auth-expires'), [String(claims.exp)]);
    for (const gone of ['authorization', 'cookie', 'proxy-authorization']) assert.deepEqual(seen.all(gone), [], gone);
    assert.equal(seen.all('x-request-id').length, 1, 'a reference to find it again');
    assert.ok(!JSON.stringify(seen.headers).includes(token.slice(-40)), 'the token is nowhere');
    assert.deepEqual([seen.method, seen.all('content-type')[0]], ['POST', 'application/json']);
  });

  await rule('who forges an identity in any spelling is named by the token alone', async () => {
    const forged = ['X-Auth-Sub', 'x-auth-sub', 'X_Auth_Sub', 'X_AUTH_SUB', 'X-Auth_Sub', 'X_Auth-Sub', 'X-Auth-Role', 'X_Auth_Admin', 'X-Auth-Email'];
    const headers = [['Authorization', bearer.Authorization], ...forged.map((name) => [name, 'root']), ['Remote-User', 'root'], ['X-Forwarded-User', 'root'], ['X_Remote_User', 'root'], ['X-Request-Id', 'root']];
    const { seen: [seen] } = await recorder.during(() => send(get('/recorder/mcp', headers)));
    assert.deepEqual(seen.headers.filter(([, value]) => value === 'root'), []);
    assert.deepEqual(seen.all('x-auth-sub'), [claimsOf(token).sub]);
  });

  await rule('forwarded headers are those of the edge, in every spelling', async () => {
    const forged = { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Uri': '/x', 'X-Forwarded-Prefix': '/x', 'X-Real-Ip': '6.6.6.6', X_Forwarded_For: '6.6.6.6', X_Forwarded_Uri: '/x', X_Forwarded_Host: 'evil.test' };
    const { seen: [seen] } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, ...forged })));
    assert.ok(!/6\.6\.6\.6|evil\.test/.test(JSON.stringify(seen.headers)), JSON.stringify(seen.headers));
    assert.deepEqual(seen.all('x-forwarded-host'), [AUTHORITY]);
    assert.deepEqual(seen.all('x-forwarded-proto'), ['https']);
    assert.deepEqual(seen.headers.filter(([name]) => name.includes('_')), []);
  });

  await rule('Connection takes no identity away', async () => {
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, Connection: 'close, X-Auth-Sub, X-Auth-Scope, X-Forwarded-Host' })));
    for (const { all } of seen) assert.deepEqual(all('x-auth-sub'), [claimsOf(token).sub], `status ${value.status}`);
  });

  await rule('the host may be written in capitals or with a dot, and then it is ours', async () => {
    for (const host of [`${HOST.toUpperCase()}:${PORT}`, `${HOST}.:${PORT}`]) {
      const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, Host: host })));
      assert.deepEqual([value.status, seen.length], [200, 1], host);
    }
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, Host: `${HOST}:1` })));
    assert.deepEqual([value.status, seen.length], [421, 0], 'another port is another origin');
  });

  await rule('what a service says to browsers about this origin does not leave', async () => {
    const answer = await send(get('/recorder/mcp', { ...bearer, Origin: 'https://inspector.test' }));
    assert.equal(answer.status, 200);
    for (const name of ['set-cookie', 'clear-site-data', 'service-worker-allowed', 'access-control-allow-credentials']) assert.deepEqual(answer.all(name), [], name);
    assert.deepEqual(answer.all('content-security-policy'), ['sandbox']);
    assert.deepEqual(answer.all('access-control-allow-origin'), ['*']);
    assert.deepEqual(answer.all('x-content-type-options'), ['nosniff']);
    assert.deepEqual(answer.all('strict-transport-security'), ['max-age=31536000']);
  });

  await rule('a refusal is complete: challenge, CORS, reference, nothing to keep', async () => {
    const answer = await send(get('/recorder/mcp', { Origin: 'https://inspector.test' }));
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.all('www-authenticate'), [`Bearer resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/recorder/mcp", scope="recorder:use"`]);
    assert.deepEqual(answer.all('access-control-allow-origin'), ['*']);
    assert.match(answer.header('access-control-expose-headers'), /WWW-Authenticate/i);
    assert.equal(answer.header('cache-control'), 'no-store');
    assert.ok(answer.body.includes(answer.header('x-request-id')), answer.body);
    const metadata = await fetch(`${ORIGIN}/.well-known/oauth-protected-resource/recorder/mcp`).then((found) => found.json());
    assert.deepEqual([metadata.resource, metadata.authorization_servers], [`${ORIGIN}/recorder/mcp`, [ORIGIN]]);
  });

  await rule('a token without the scope is told which one', async () => {
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { Authorization: `Bearer ${weak}` })));
    assert.deepEqual([value.status, seen.length], [403, 0]);
    assert.match(value.header('www-authenticate'), /scope="recorder:use", error="insufficient_scope"/);
  });

  await rule('a token for the MCP server opens no service, and a service\'s no MCP server', async () => {
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { Authorization: `Bearer ${other}` })));
    assert.deepEqual([value.status, seen.length], [401, 0]);
    assert.match(value.header('www-authenticate'), /error="invalid_token"/);
    assert.equal((await send(request('POST', '/mcp', bearer, '{}'))).status, 401);
  });

  await rule('a good token beside another is as good as none', async () => {
    for (const pair of [[token, 'x'], ['x', token], [token, token]]) {
      const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', pair.map((one) => ['Authorization', `Bearer ${one}`]))));
      assert.deepEqual([value.status, seen.length], [400, 0]);
    }
  });

  await rule('a refused body is not waited for', async () => {
    const began = Date.now();
    const answer = await send(request('POST', '/recorder/mcp', { 'Content-Length': '5000000', Connection: 'close' }), { ms: 10_000 });
    assert.equal(answer.status, 401);
    assert.ok(Date.now() - began < 5_000);
  });

  await rule('a body that says it is too large reaches nobody', async () => {
    for (const path of ['/recorder/mcp', '/mcp', '/token']) {
      const { value, seen } = await recorder.during(() => send(request('POST', path, { ...bearer, 'Content-Length': '10000000' }), { ms: 5_000 }));
      assert.deepEqual([value.status, seen.length], [413, 0], path);
    }
    const { value, seen } = await recorder.during(() => send(request('POST', '/recorder/mcp', bearer, 'x'.repeat(999_999))));
    assert.deepEqual([value.status, seen.length], [200, 1], 'a million bytes are an image');
  });

  await rule('headers have a limit at the edge', async () => {
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, 'X-Long': 'x'.repeat(60_000) })));
    assert.deepEqual([value.status, seen.length], [431, 0]);
    const { value: fine } = await recorder.during(() => send(get('/recorder/mcp', { ...bearer, 'X-Long': 'x'.repeat(10_000) })));
    assert.equal(fine.status, 200);
  });

  await rule('a preflight is answered by the edge, for every origin, without credentials', async () => {
    const { value, seen } = await recorder.during(() => send(get('/recorder/mcp', { Origin: 'https://inspector.test', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization, mcp-session-id' }, 'OPTIONS')));
    assert.deepEqual(seen, []);
    assert.deepEqual(value.all('access-control-allow-origin'), ['*']);
    assert.match(value.header('access-control-allow-headers'), /Authorization.*Mcp-Session-Id/i);
    assert.match(value.header('access-control-allow-methods'), /POST/);
    assert.deepEqual(value.all('access-control-allow-credentials'), []);
  });
}
