// Keycloak's host: what a browser needs to sign in, and nothing else. A recorder stands where Keycloak would.
import assert from 'node:assert/strict';
import { Recorder } from '../lib/recorder.mjs';
import { PORT, get, send } from '../lib/raw.mjs';
import { rule } from '../lib/rules.mjs';

const ID_HOST = process.env.EDGE_ID_HOST;
const OPEN = ['/realms/portico/.well-known/openid-configuration', '/realms/portico/protocol/openid-connect/auth?client_id=x', '/resources/abc/login/style.css', '/x/../realms/portico/account'];
const CLOSED = ['/', '/admin', '/admin/', '/admin/realms', '//admin', '/x/../admin', '/realms/../admin/realms', '/%61dmin', '/Admin', '/metrics', '/health', '/health/ready', '/realms', '/realmsx', '/resources',
  '/realms/master', '/realms/master/', '/realms/master/protocol/openid-connect/token', '/realms//master/x', '/realms/x/../master/x', '/realms/%6daster/x', '/js/keycloak.js'];

export async function run() {
  const keycloak = await Recorder.open(process.env.EDGE_KEYCLOAK_PORT);
  const options = { servername: ID_HOST };
  const asked = (target, headers = {}) => keycloak.during(() => send(get(target, { Host: `${ID_HOST}:${PORT}`, ...headers }), options));
  for (const target of OPEN) {
    await rule(`a browser reaches ${target.split('?')[0]} of the identity provider`, async () => {
      const { value, seen } = await asked(target, { Cookie: 'AUTH_SESSION_ID=x' });
      assert.deepEqual([value.status, seen.length], [200, 1]);
      assert.deepEqual(seen[0].all('cookie'), ['AUTH_SESSION_ID=x'], 'its cookies are its own');
      assert.deepEqual(seen[0].all('x-forwarded-host'), [`${ID_HOST}:${PORT}`]);
      assert.deepEqual(seen[0].all('x-forwarded-proto'), ['https']);
    });
  }
  for (const target of CLOSED) {
    await rule(`nobody reaches ${target} of the identity provider`, async () => {
      const { value, seen } = await asked(target);
      assert.deepEqual([value.status, seen.length], [404, 0]);
    });
  }
  await rule('encoded separators do not reach the identity provider', async () => {
    for (const target of ['/realms/portico/..%2f..%2fadmin', '/realms/portico%2f..%2f..%2fadmin', '/realms/%2e%2e%5cadmin']) {
      const { value, seen } = await asked(target);
      assert.deepEqual([value.status, seen.length], [400, 0], target);
    }
  });
  await rule('neither host serves the other\'s paths', async () => {
    const { value, seen } = await keycloak.during(() => send(get('/realms/portico/account')));
    assert.deepEqual([value.status, seen.length], [404, 0]);
    for (const target of ['/mcp', '/token', '/recorder/mcp', '/.well-known/oauth-authorization-server']) assert.equal((await asked(target)).value.status, 404, target);
  });
  await keycloak.close();
}
