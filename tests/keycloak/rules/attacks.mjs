// What somebody else tries: a callback for another browser, another name for Keycloak, a look at the log.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { freshPerson } from '../../e2e/lib/browser.mjs';
import { browser, portico, realm, rule } from '../lib/suite.mjs';
import { heldCallback, isLogin, newClient, walk } from '../lib/visit.mjs';

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

await rule('no password, code, token or mail address of anybody stands in the log', async () => {
  const text = await readFile(process.env.PORTICO_LOG, 'utf8');
  for (const secret of ['a-password-for-one-test', '-dev-password', 'portico-dev-secret', '@portico.test', 'logout_token=', '?code=', '&code=', 'eyJ']) {
    assert.ok(!text.includes(secret), `${secret} stands in the log`);
  }
});
