// The whole of a deployment: a real Keycloak at a host of its own and Portico at another, both behind one Traefik, all over TLS.
//
// People reach Keycloak through Traefik, Portico asks it on the inner network (`backchannel_origin`), and Keycloak's notices come back
// through Traefik. cases/identity_provider.mjs tries the same door with a recorder behind it; here stands what must be kept closed.
import assert from 'node:assert/strict';
import { freshPerson } from '../e2e/lib/browser.mjs';
import { devPerson, Realm } from '../keycloak/lib/keycloak.mjs';
import { EVERYTHING, sdk } from '../keycloak/lib/sdk.mjs';
import { browser, close, consoleLogoutEndsOnlyTheirs, portico, realm, refused, rule } from '../keycloak/lib/suite.mjs';
import { get, send } from './lib/raw.mjs';

const { KEYCLOAK_ORIGIN: keycloak, KEYCLOAK_INSIDE: inside, EDGE_ID_HOST: idHost, EDGE_PORT: port } = process.env;
const DISCOVERY = '/realms/portico/.well-known/openid-configuration';
// A name that is not ours, in every header that could carry one, and an address that nobody has.
const FORGED = {
  'x-forwarded-host': 'evil.test', 'x-forwarded-port': '1', 'x-forwarded-proto': 'http', 'x-forwarded-prefix': '/evil', 'x-forwarded-for': '203.0.113.9',
  forwarded: 'for=203.0.113.9;host=evil.test;proto=http',
};

/** What Keycloak's host answers, asked byte by byte. */
const asked = (target, headers = {}) => send(get(target, { Host: `${idHost}:${port}`, ...headers }), { servername: idHost });

await rule('an official SDK is led through Keycloak\'s own page behind Traefik to its tools', async () => {
  assert.deepEqual(await sdk(devPerson('alice')), { granted: EVERYTHING, wrote: true });
});

await rule('on the way a browser sees two hosts, both over TLS, and its own client', async (visit) => {
  const visitor = await freshPerson(browser);
  const seen = new Set();
  visitor.page.on('request', (request) => seen.add(new URL(request.url()).origin));
  const theirs = await visit(await realm.person(['/mcp/readers']), { visitor });
  assert.equal(await theirs.call(), 200);
  assert.deepEqual([...seen].sort(), [portico, keycloak, new URL(theirs.client.callback.redirectUri).origin].sort());
  for (const cookie of await visitor.context.cookies()) {
    assert.ok(cookie.secure, `${cookie.name} of ${cookie.domain}`);
    assert.ok([new URL(portico).hostname, idHost].includes(cookie.domain), `${cookie.name} reaches ${cookie.domain}`);
  }
});

await rule('a logout in the console of Keycloak comes through Traefik and ends the grant within a second, and only that person\'s', async (visit) => {
  await consoleLogoutEndsOnlyTheirs(visit);
});

await rule('who signs out at Portico and Keycloak is signed out at both, by way of Keycloak\'s host', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const theirs = await visit(person);
  assert.equal(await realm.sessions(person), 1);
  await theirs.page.goto(`${portico}/logout`);
  await theirs.page.click('button[name="where"][value="everywhere"]');
  await theirs.page.waitForURL((url) => url.origin === portico && url.pathname === '/logout' && url.searchParams.has('state'));
  assert.equal(await realm.sessions(person), 0);
  refused(await theirs.refresh(), 400, 'invalid_grant');
});

await rule('forged forwarding headers change nothing that Keycloak says of itself', async () => {
  const honest = await asked(DISCOVERY);
  const said = JSON.parse(honest.body);
  assert.equal(said.issuer, realm.issuer);
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'end_session_endpoint']) assert.ok(said[name].startsWith(`${realm.issuer}/`), said[name]);
  for (const [name, value] of Object.entries(FORGED)) assert.equal((await asked(DISCOVERY, { [name]: value })).body, honest.body, name);
  assert.equal((await asked(DISCOVERY, FORGED)).body, honest.body);
});

await rule('who forges them all the way signs in as honest people do, and Keycloak notes the address they came from', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const visitor = await freshPerson(browser, { extraHTTPHeaders: FORGED });
  const theirs = await visit(person, { visitor });
  assert.equal(await theirs.call(), 200);
  const addresses = async (of, { id }) => (await of.settings('GET', `/users/${id}/sessions`)).map(({ ipAddress }) => ipAddress);
  assert.deepEqual(await addresses(realm, person), ['127.0.0.1']);
  // It would believe who stands where Traefik stands: that nobody else's word arrives is Traefik's doing.
  const { KEYCLOAK_ADMIN: username, KEYCLOAK_ADMIN_PASSWORD: password } = process.env;
  const form = new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', username, password });
  await fetch(`${inside}/realms/master/protocol/openid-connect/token`, { method: 'POST', headers: { 'x-forwarded-for': FORGED['x-forwarded-for'] }, body: form });
  const master = new Realm('master');
  const [administrator] = await master.settings('GET', `/users?username=${username}&exact=true`);
  assert.ok((await addresses(master, administrator)).includes(FORGED['x-forwarded-for']), 'a proxy is believed');
});

for (const target of ['/admin/', '/admin/realms', '/admin/master/console/', '/realms/master', '/realms/master/', '/realms/master/.well-known/openid-configuration']) {
  await rule(`nobody reaches ${target}, which Keycloak itself has`, async () => {
    const within = await fetch(`${inside}${target}`, { redirect: 'manual' });
    assert.notEqual(within.status, 404, 'Keycloak has it: what is closed is the door');
    assert.equal((await asked(target)).status, 404);
    assert.equal((await asked(target, FORGED)).status, 404);
  });
}

await rule('nobody reaches what Keycloak tells of its health and its load', async () => {
  for (const target of ['/metrics', '/health', '/health/ready', '/health/live', '/realms/../metrics', '/realms/../health']) assert.equal((await asked(target)).status, 404, target);
});

await close();
