// Keycloak away, Keycloak changed, Portico started anew: nothing ends that should stand, and recovery needs nobody.
import assert from 'node:assert/strict';
import { freshPerson, visibleText } from '../../e2e/lib/browser.mjs';
import { please } from '../lib/errands.mjs';
import { browser, goesOn, PAST_THE_RECHECK_MS, pause, portico, realm, refused, rule, stands } from '../lib/suite.mjs';
import { heldCallback, isLogin, newClient, walk } from '../lib/visit.mjs';

// A refresh that waits for Keycloak must not wait for ever: five seconds, and a busy machine.
const OUTAGE_ANSWER_MS = 6000;

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
  await goesOn(theirs);
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
