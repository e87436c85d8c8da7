// People at Keycloak's own pages, and what their roles let their clients do.
import assert from 'node:assert/strict';
import { freshPerson, visibleText } from '../../e2e/lib/browser.mjs';
import { devPerson } from '../lib/keycloak.mjs';
import { EVERYTHING, sdk } from '../lib/sdk.mjs';
import { browser, portico, realm, rule } from '../lib/suite.mjs';
import { enter, isLogin, newClient, walk } from '../lib/visit.mjs';

const keycloak = process.env.KEYCLOAK_ORIGIN;

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
