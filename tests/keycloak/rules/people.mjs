// People at Keycloak's own pages, and what their roles let their clients do.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freshPerson, visibleText } from '../../e2e/lib/browser.mjs';
import { devPerson } from '../lib/keycloak.mjs';
import { browser, portico, realm, rule } from '../lib/suite.mjs';
import { enter, isLogin, newClient, walk } from '../lib/visit.mjs';

const keycloak = process.env.KEYCLOAK_ORIGIN;
const EVERYTHING = ['mcp:infer', 'mcp:read', 'mcp:write'];

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

/** An SDK's whole way, with the person sent to every address it names; what it reports at the end. */
async function sdk(person) {
  const program = fileURLToPath(new URL('../../e2e/clients/role.mjs', import.meta.url));
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
