// Portico and a real Keycloak, seen by people at a real Chromium. A line for each rule: `ok …` or `not ok …`.
//
// `cargo xtask keycloak` starts both servers and says where they are; arguments are words of the rules to try.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { freshPerson, openChromium, visibleText } from '../e2e/lib/browser.mjs';
import { noMoreErrands, please } from './lib/errands.mjs';
import { devPerson, Realm } from './lib/keycloak.mjs';
import { enter, heldCallback, isLogin, newClient, walk } from './lib/visit.mjs';

const { PORTICO_ORIGIN: portico, PORTICO_LOG: log, PORTICO_BINARY: binary, KEYCLOAK_ORIGIN: keycloak } = process.env;
const { KEYCLOAK_REALM, KEYCLOAK_BRIEF_IDLE_SECS } = process.env;
const EVERYTHING = ['mcp:infer', 'mcp:read', 'mcp:write'];
// As often as the suite's settings let Portico ask again, and a little more.
const PAST_THE_RECHECK_MS = 11_000;
const PAST_THE_IDLE_MS = (Number(KEYCLOAK_BRIEF_IDLE_SECS) + 3) * 1000;
// Issue 4: a back-channel notice ends the grants within a second.
const NOTICE_MS = 1000;
// A resource server follows the endings once a second.
const ENDING_MS = 3000;
// A refresh that waits for Keycloak must not wait for ever.
const OUTAGE_ANSWER_MS = 16_000;

const realm = new Realm(KEYCLOAK_REALM);
// Two realms whose sessions idle out soon: Portico follows the sessions of one and outlives those of the other.
const [following, outliving] = [new Realm('brief-follow'), new Realm('brief-outlive')];
const wanted = process.argv.slice(2);
const browser = await openChromium();
let failed = 0;

async function rule(sentence, act) {
  if (wanted.length > 0 && !wanted.some((words) => sentence.includes(words))) return;
  const open = [];
  const started = Date.now();
  try {
    // What a rule opened is closed by its end, however it ends.
    await act(async (...asked) => {
      const visit = await enter(browser, ...asked);
      open.push(visit);
      return visit;
    });
    console.log(`ok ${sentence} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${sentence}: ${String(error.message).replace(/\s+/g, ' ').slice(0, 600)}`);
    console.error(error);
  }
  for (const visit of open) await visit.close().catch(() => {});
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function refused(answer, status, error) {
  assert.deepEqual([answer.status, answer.body.error], [status, error], JSON.stringify(answer.body));
}

function stands(answer) {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** The access token goes with its grant. */
async function ends(visit) {
  const since = Date.now();
  while (await visit.call() !== 401) {
    assert.ok(Date.now() - since < ENDING_MS, `the access token is still good after ${ENDING_MS} ms`);
    await pause(50);
  }
}

/** An SDK's whole way, with the person sent to every address it names; what it reports at the end. */
async function sdk(person) {
  const program = fileURLToPath(new URL('../e2e/clients/role.mjs', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, PORTICO_MCP_URL: `${portico}/mcp`, PORTICO_SCOPE: EVERYTHING.join(' ') },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  });
  const { context, page } = await freshPerson(browser);
  let report;
  for await (const line of lines(child.stdout)) {
    const said = JSON.parse(line);
    if (said.granted) report = said;
    // A second address is a step up, which this person cannot take.
    if (said.authorize && !report && page.url() === 'about:blank') {
      await page.goto(said.authorize, { waitUntil: 'domcontentloaded' });
      await walk(page, person, { until: new URL(said.authorize).searchParams.get('redirect_uri') });
    }
  }
  await context.close();
  assert.ok(report, 'the SDK did not come to its end');
  return report;
}

async function* lines(stream) {
  let rest = '';
  for await (const chunk of stream) {
    rest += chunk;
    for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
      yield rest.slice(0, at);
      rest = rest.slice(at + 1);
    }
  }
}

for (const [name, granted, wrote] of [
  ['alice', EVERYTHING, true],
  ['bob', ['mcp:read', 'mcp:write'], true],
  ['carol', ['mcp:read'], false],
]) {
  await rule(`an SDK signs ${name} in at Keycloak, gets what the role allows, and calls a tool`, async () => {
    assert.deepEqual(await sdk(devPerson(name)), { granted, wrote });
  });
}

await rule('somebody without any role is told no, and so is the client', async () => {
  const visit = await enter(browser, await realm.person());
  await visit.close();
  assert.equal(visit.error, 'access_denied');
});

await rule('a wrong password stays at Keycloak, and the right one goes on', async () => {
  const person = await realm.person(['/mcp/readers']);
  const client = await newClient();
  const { context, page } = await freshPerson(browser);
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: isLogin });
  await walk(page, { ...person, password: 'wrong' }, { until: client.callback.redirectUri, stop: async (at) => at.url().includes('login-actions') });
  assert.match(await visibleText(page), /Invalid username or password/);
  await walk(page, person, { until: client.callback.redirectUri });
  assert.ok((await client.callback.answer).has('code'));
  await context.close();
  client.callback.close();
});

await rule('somebody who must complete their profile at Keycloak first comes in afterwards', async () => {
  const person = await realm.person(['/mcp/readers'], { firstName: '', lastName: '' });
  const client = await newClient();
  const { context, page } = await freshPerson(browser);
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: async (at) => (await at.locator('#firstName').count()) > 0 });
  await page.fill('#firstName', 'Late');
  await page.fill('#lastName', 'Comer');
  await page.locator('input[type="submit"], button[type="submit"]').first().click();
  await page.waitForURL((url) => url.origin !== keycloak);
  await walk(page, person, { until: client.callback.redirectUri });
  assert.ok((await client.callback.answer).has('code'));
  await context.close();
  client.callback.close();
});

await rule('a second sign-in in the same browser needs no password', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const first = await visit(person);
  const second = await visit({ ...person, password: 'not asked for' }, { visitor: first });
  assert.ok(second.tokens.access_token);
});

await rule('a disabled person is refused at the next refresh past the recheck, and enabling does not bring the grant back', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  const somebodyElse = await visit(await realm.person(['/mcp/writers']));
  await realm.enable(person, false);
  await pause(PAST_THE_RECHECK_MS);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  await ends(theirs);
  await realm.enable(person, true);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  stands(await somebodyElse.refresh());
});

await rule('a lost role takes its scopes at the next refresh past the recheck, and the last one the grant', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  assert.deepEqual(theirs.scope, ['mcp:read', 'mcp:write']);
  await realm.join(person, '/mcp/readers');
  await realm.leave(person, '/mcp/writers');
  await pause(PAST_THE_RECHECK_MS);
  stands(await theirs.refresh());
  assert.deepEqual(theirs.scope, ['mcp:read']);
  await realm.leave(person, '/mcp/readers');
  await pause(PAST_THE_RECHECK_MS);
  refused(await theirs.refresh(), 400, 'invalid_grant');
});

await rule('a logout in the console of Keycloak ends the grant within a second, and only that person\'s', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  const somebodyElse = await visit(await realm.person(['/mcp/writers']));
  assert.equal(await theirs.call(), 200);
  stands(await theirs.refresh());
  await realm.logOut(person);
  const told = Date.now();
  let answer = await theirs.refresh();
  while (answer.status === 200 && Date.now() - told < NOTICE_MS) answer = await theirs.refresh();
  refused(answer, 400, 'invalid_grant');
  await ends(theirs);
  assert.equal(await somebodyElse.call(), 200);
  stands(await somebodyElse.refresh());
});

await rule('with `outlive` Keycloak tells of the end of the offline session within a second, of a mere logout it tells nothing and the recheck holds', async (visit) => {
  const [ended, loggedOut] = [await outliving.person(['/mcp/writers']), await outliving.person(['/mcp/writers'])];
  const [first, second] = [await visit(ended, { idp: 'brief-outlive' }), await visit(loggedOut, { idp: 'brief-outlive' })];
  assert.equal(await outliving.sessions(loggedOut), 0, 'Keycloak keeps no online session beside an offline one');
  const [client] = await outliving.settings('GET', '/clients?clientId=portico');
  const [offline] = await outliving.settings('GET', `/users/${ended.id}/offline-sessions/${client.id}`);
  await outliving.settings('DELETE', `/sessions/${offline.id}?isOffline=true`);
  const told = Date.now();
  let answer = await first.refresh();
  while (answer.status === 200 && Date.now() - told < NOTICE_MS) answer = await first.refresh();
  refused(answer, 400, 'invalid_grant');
  // Keycloak counts in whole seconds: a token of the same second would outlive the logout.
  await pause(1500);
  await outliving.logOut(loggedOut);
  await pause(PAST_THE_RECHECK_MS);
  refused(await second.refresh(), 400, 'invalid_grant');
});

await rule('who signs out at Portico and Keycloak is signed out at both, and comes back', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const theirs = await visit(person);
  const { page } = theirs;
  assert.equal(await realm.sessions(person), 1);
  await page.goto(`${portico}/logout`);
  await page.click('button[name="where"][value="everywhere"]');
  await page.waitForURL((url) => url.origin === portico && url.pathname === '/logout' && url.searchParams.has('state'));
  assert.equal(await realm.sessions(person), 0);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  const client = await newClient();
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: isLogin });
  assert.ok(await isLogin(page), 'Keycloak asks for the password again');
  client.callback.close();
});

await rule('while Keycloak is away refreshes are answered 503 within a bound, and go on when it is back', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  await pause(PAST_THE_RECHECK_MS);
  await please('keycloak stop');
  try {
    const answer = await theirs.refresh();
    refused(answer, 503, 'temporarily_unavailable');
    assert.ok(answer.elapsedMs < OUTAGE_ANSWER_MS, `${answer.elapsedMs} ms`);
    assert.equal(await theirs.call(), 200, 'what was granted is good until it must be renewed');
  } finally {
    await please('keycloak start');
  }
  stands(await theirs.refresh());
  assert.ok((await visit(person)).tokens.access_token);
});

await rule('when Keycloak goes away in the middle of a sign-in the client is told so, with iss, and a second try succeeds', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const client = await newClient();
  const { context, page } = await freshPerson(browser);
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: isLogin });
  const callback = await heldCallback(page, person);
  await please('keycloak stop');
  try {
    await page.goto(callback);
    const answer = await client.callback.answer;
    assert.deepEqual([answer.get('error'), answer.get('iss')], ['temporarily_unavailable', portico]);
  } finally {
    await please('keycloak start');
  }
  assert.ok((await visit(person)).tokens.access_token);
  await context.close();
  client.callback.close();
});

await rule('a secret that Keycloak no longer accepts is an outage, not the end of every grant', async (visit) => {
  const theirs = await visit(await realm.person(['/mcp/writers']));
  await realm.changeClient('portico', { secret: 'another-secret' });
  try {
    await pause(PAST_THE_RECHECK_MS);
    refused(await theirs.refresh(), 503, 'temporarily_unavailable');
  } finally {
    await realm.changeClient('portico', { secret: 'portico-dev-secret' });
  }
  stands(await theirs.refresh());
});

await rule('new signing keys at Keycloak are found without anybody\'s help', async (visit) => {
  const theirs = await visit(await realm.person(['/mcp/writers']));
  const { id } = await realm.settings('GET', '');
  const name = 'a newer key';
  await realm.settings('POST', '/components', {
    name,
    providerId: 'rsa-generated',
    providerType: 'org.keycloak.keys.KeyProvider',
    parentId: id,
    config: { priority: ['1000'], enabled: ['true'], active: ['true'], keySize: ['2048'], algorithm: ['RS256'] },
  });
  try {
    assert.ok((await visit(await realm.person(['/mcp/readers']))).tokens.access_token, 'a sign-in with the new key');
    await pause(PAST_THE_RECHECK_MS);
    stands(await theirs.refresh());
  } finally {
    const [component] = await realm.settings('GET', `/components?type=org.keycloak.keys.KeyProvider&name=${encodeURIComponent(name)}`);
    await realm.settings('DELETE', `/components/${component.id}`);
  }
});

await rule('past Keycloak\'s idle time `follow` ends and `outlive` goes on', async (visit) => {
  const [follower, survivor] = [await following.person(['/mcp/writers']), await outliving.person(['/mcp/writers'])];
  const follows = await visit(follower, { idp: 'brief-follow' });
  const outlives = await visit(survivor, { idp: 'brief-outlive' });
  await pause(PAST_THE_IDLE_MS);
  refused(await follows.refresh(), 400, 'invalid_grant');
  stands(await outlives.refresh());
  await outliving.enable(survivor, false);
  await pause(PAST_THE_RECHECK_MS);
  refused(await outlives.refresh(), 400, 'invalid_grant');
});

await rule('a session that is used within Keycloak\'s idle time goes on with `follow` too', async (visit) => {
  const follows = await visit(await following.person(['/mcp/writers']), { idp: 'brief-follow' });
  for (let round = 0; round < 3; round += 1) {
    await pause(PAST_THE_RECHECK_MS);
    stands(await follows.refresh());
  }
});

await rule('a restart of Portico while somebody is at Keycloak costs them at most a second try', async () => {
  const person = await realm.person(['/mcp/readers']);
  const client = await newClient();
  const { context, page } = await freshPerson(browser);
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: isLogin });
  await please('portico restart');
  const arrived = page.waitForResponse((response) => response.url().startsWith(`${portico}/callback/keycloak`));
  await page.fill('#username', person.username);
  await page.fill('#password', person.password);
  await page.click('#kc-login');
  const response = await arrived;
  assert.ok(response.status() < 500, `the callback was answered ${response.status()}`);
  await page.waitForLoadState('domcontentloaded');
  if (!page.url().startsWith(client.callback.redirectUri)) {
    assert.ok((await visibleText(page)).length > 20, 'the person is told something');
    await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
    await walk(page, { ...person, password: 'not asked for' }, { until: client.callback.redirectUri });
  }
  assert.ok((await client.callback.answer).has('code'));
  await context.close();
  client.callback.close();
});

await rule('what somebody allowed survives a restart of Portico', async (visit) => {
  const theirs = await visit(await realm.person(['/mcp/writers']));
  await pause(PAST_THE_RECHECK_MS);
  await please('portico restart');
  stands(await theirs.refresh());
});

await rule('a callback in a browser that never left signs nobody in', async () => {
  // The attacker signs in and keeps the callback's address for the victim.
  const attacker = await realm.person(['/mcp/readers']);
  const client = await newClient();
  const theirs = await freshPerson(browser);
  await theirs.page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(theirs.page, attacker, { until: client.callback.redirectUri, stop: isLogin });
  const trap = await heldCallback(theirs.page, attacker);

  const victim = await freshPerson(browser);
  const response = await victim.page.goto(trap);
  assert.ok(response.status() >= 400 && response.status() < 500, `answered ${response.status()}`);
  // Whoever were signed in as the attacker now would not be asked who they are.
  const own = await newClient();
  await victim.page.goto(own.ask({ idp_hint: 'keycloak' }).url);
  await walk(victim.page, attacker, { until: own.callback.redirectUri, stop: isLogin });
  assert.ok(await isLogin(victim.page), 'the victim is nobody yet');
  const person = await realm.person(['/mcp/readers']);
  await walk(victim.page, person, { until: own.callback.redirectUri });
  assert.ok((await own.callback.answer).has('code'), 'the victim signs in as nobody but themselves');
  await theirs.context.close();
  await victim.context.close();
  client.callback.close();
  own.callback.close();
});

await rule('Keycloak keeps its name whatever the Host header says', async () => {
  const said = await fetch(`${realm.issuer}/.well-known/openid-configuration`, { headers: { 'x-forwarded-host': 'evil.test' } });
  assert.equal((await said.json()).issuer, realm.issuer);
});

await rule('one command of the doctor turns a realm that knows nothing of Portico into a working login', async (visit) => {
  const person = { username: 'dora', password: 'dora-dev-password' };
  await new Realm('').settings('POST', '', {
    realm: 'bare',
    enabled: true,
    roles: { realm: [{ name: 'mcp-reader' }] },
    users: [
      {
        username: person.username,
        enabled: true,
        email: 'dora@portico.test',
        firstName: 'Dora',
        lastName: 'Example',
        credentials: [{ type: 'password', value: person.password, temporary: false }],
        realmRoles: ['mcp-reader', 'offline_access'],
      },
      {
        username: 'service-account-portico-doctor',
        enabled: true,
        serviceAccountClientId: 'portico-doctor',
        clientRoles: { 'realm-management': ['view-realm', 'view-clients', 'manage-clients'] },
      },
    ],
    clients: [{ clientId: 'portico-doctor', secret: 'bare-doctor-secret', serviceAccountsEnabled: true, standardFlowEnabled: false, publicClient: false }],
  });
  const bare = new Realm('bare');
  const doctor = spawn(binary, ['doctor', 'keycloak', '--config', process.env.PORTICO_SETTINGS, '--upstream', 'bare', '--public-url', portico, '--fix'], {
    env: { PATH: process.env.PATH, PORTICO_DOCTOR_SECRET: 'bare-doctor-secret' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
  });
  const [code] = await once(doctor, 'exit');
  assert.equal(code, 0);
  const theirs = await visit(person, { idp: 'bare' });
  assert.deepEqual(theirs.scope, ['mcp:read']);
  assert.equal(await theirs.call(), 200);
  await bare.settings('DELETE', '');
});

await rule('no password, code, token or mail address of anybody stands in the log', async () => {
  const text = await readFile(log, 'utf8');
  for (const secret of ['a-password-for-one-test', '-dev-password', 'portico-dev-secret', '@portico.test', 'logout_token=', '?code=', '&code=', 'eyJ']) {
    assert.ok(!text.includes(secret), `${secret} stands in the log`);
  }
});

await browser.close();
noMoreErrands();
process.exitCode = failed === 0 ? 0 : 1;
