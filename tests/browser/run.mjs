// Chromium over the pages: what a person sees, with which hands. A line for each rule: `ok …` or `not ok …`.
//
// PORTICO_ORIGIN, PORTICO_USER, PORTICO_PASSWORD say where and who; PORTICO_SCREENSHOTS is a folder outside the clone.
import assert from 'node:assert/strict';
import http from 'node:http';
import { decide, freshPerson } from '../e2e/lib/browser.mjs';
import { listenForCallback } from '../e2e/lib/callback.mjs';
import { authorization, register } from '../e2e/lib/flow.mjs';
import { assertLooks } from './looks.mjs';
import { CLIENT_NAME, LANGUAGES, SCREENS, openRules, tabTo } from './rules.mjs';

const { PORTICO_ORIGIN: origin, PORTICO_USER: username, PORTICO_PASSWORD: password, PORTICO_SCREENSHOTS: folder } = process.env;
const { browser, rule, picture, metadata, resource, scopes, tally } = await openRules({ origin, folder });
const person = (url, decision) => ({ url, origin, username, password, decision });

for (const viewport of SCREENS) {
  for (const language of LANGUAGES) {
    const at = `${viewport.width}-${language}`;
    const options = { viewport, locale: language };
    await rule(`the consent page is readable at ${at}`, options, async ({ page, ask }) => {
      await page.goto(ask({ scope: scopes.join(' ') }).url);
      const text = await assertLooks(page, language);
      assert.ok(text.includes('Zeppelin & Söhne'), 'the page names the client');
      assert.ok(text.includes('127.0.0.1'), 'the page names where the answer goes');
      await picture(page, `consent-${at}`);
    });
    await rule(`a wrong password is told kindly at ${at}`, options, async ({ page, ask }) => {
      await page.goto(ask().url);
      await page.locator('input[name="username"]').fill(username);
      await page.locator('input[name="password"]').fill('not the password');
      await page.locator('button[name="decision"][value="allow"]').click();
      await assertLooks(page, language);
      assert.equal(await page.locator('[role="alert"]').count(), 1, 'the page says what went wrong, to screen readers too');
      assert.equal(await page.locator('input[name="password"]').inputValue(), '', 'the page does not repeat a password');
      await picture(page, `wrong-password-${at}`);
    });
    await rule(`an unknown client gets a page and no redirect at ${at}`, options, async ({ page, ask }) => {
      const url = new URL(ask().url);
      url.searchParams.set('client_id', 'nobody');
      const response = await page.goto(url.toString());
      assert.equal(response.status(), 400);
      assert.equal(new URL(page.url()).origin, origin);
      await assertLooks(page, language);
      await picture(page, `error-${at}`);
    });
  }
}

await rule('keyboard alone is enough', {}, async ({ page, callback, ask }) => {
  const { url, state } = ask();
  await page.goto(url);
  await tabTo(page, 'input[name="username"]');
  await page.keyboard.type(username);
  await tabTo(page, 'input[name="password"]');
  await page.keyboard.type(password);
  await tabTo(page, 'button[name="decision"][value="allow"]');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none', 'the focused button can be seen');
  await page.keyboard.press('Enter');
  const answer = await callback.answer;
  assert.ok(answer.get('code'));
  assert.equal(answer.get('state'), state);
  assert.equal(answer.get('iss'), metadata.issuer);
});

await rule('Enter in the password field allows and never denies', {}, async ({ page, callback, ask }) => {
  await page.goto(ask().url);
  await page.locator('input[name="username"]').fill(username);
  await page.locator('input[name="password"]').fill(password);
  await page.keyboard.press('Enter');
  assert.ok((await callback.answer).get('code'));
});

await rule('no script is needed', { javaScriptEnabled: false }, async ({ page, callback, ask }) => {
  await decide(page, person(ask().url));
  assert.ok((await callback.answer).get('code'));
});

await rule('deny tells the client and nobody else', {}, async ({ page, callback, ask }) => {
  const { url, state } = ask();
  await decide(page, person(url, 'deny'));
  const answer = await callback.answer;
  assert.equal(answer.get('error'), 'access_denied');
  assert.equal(answer.get('state'), state);
  assert.equal(answer.get('iss'), metadata.issuer);
  assert.equal(answer.get('code'), null);
});

await rule('a signed-in person is asked again, without the password', {}, async ({ page, callback, ask }) => {
  await decide(page, person(ask().url));
  await callback.answer;
  await page.goto(ask().url);
  assert.equal(await page.locator('input[name="password"]').count(), 0, 'the session is remembered');
  assert.equal(await page.locator('button[name="decision"][value="allow"]').count(), 1, 'a loopback client is never allowed silently');
  await picture(page, 'consent-signed-in');
});

await rule('a redirect address that was not registered gets a page', {}, async ({ page, ask }) => {
  const url = new URL(ask().url);
  url.searchParams.set('redirect_uri', 'https://evil.example/callback');
  const response = await page.goto(url.toString());
  assert.equal(response.status(), 400);
  assert.equal(new URL(page.url()).origin, origin);
});

await rule('an unknown language falls back to English', { locale: 'sw' }, async ({ page, ask }) => {
  await page.goto(ask().url);
  await assertLooks(page, 'en');
});

await rule('cookies are closed to scripts and to other sites', {}, async ({ page, context, callback, ask }) => {
  await decide(page, person(ask().url));
  await callback.answer;
  const cookies = await context.cookies(origin);
  assert.ok(cookies.length > 0);
  for (const cookie of cookies) {
    assert.equal(cookie.httpOnly, true, `${cookie.name} is open to scripts`);
    assert.match(cookie.sameSite, /^(Lax|Strict)$/, `${cookie.name} goes to other sites`);
    assert.equal(cookie.path, '/');
  }
});

await popupReportsHome();
await frameIsRefused();
await browser.close();
process.exitCode = tally.failed === 0 ? 0 : 1;

/** A web client opens the page in a window of its own; the window must still know who opened it when it comes back. */
async function popupReportsHome() {
  const sentence = 'a client that opened a window hears from it';
  const back = '<!doctype html><title>Back</title><script>window.opener.postMessage(location.search, location.origin)</script>';
  const opener = `<!doctype html><title>Client</title><a id="go" target="signin" rel="opener">Sign in</a>
    <script>addEventListener('message', (event) => { document.title = event.data; })</script>`;
  const client = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(request.url.startsWith('/callback') ? back : opener);
  });
  await new Promise((resolve) => { client.listen(0, '127.0.0.1', resolve); });
  const home = `http://127.0.0.1:${client.address().port}`;
  const { context, page, violations } = await freshPerson(browser);
  try {
    const redirectUri = `${home}/callback`;
    const { client_id: clientId } = await register(metadata, CLIENT_NAME, redirectUri);
    const { url, state } = authorization(metadata, { clientId, redirectUri, resource });
    await page.goto(home);
    await page.evaluate((address) => { document.getElementById('go').href = address; }, url);
    const [popup] = await Promise.all([context.waitForEvent('page'), page.click('#go')]);
    await popup.locator('input[name="username"]').fill(username);
    await popup.locator('input[name="password"]').fill(password);
    await popup.locator('button[name="decision"][value="allow"]').click();
    await page.waitForFunction((wanted) => document.title.includes(wanted), `state=${state}`);
    assert.match(await page.title(), /code=/);
    assert.deepEqual(violations, []);
    console.log(`ok ${sentence}`);
  } catch (error) {
    tally.failed += 1;
    console.log(`not ok ${sentence}: ${error.message}`);
  } finally {
    await context.close();
    client.close();
  }
}

/** A stranger's page frames the consent page: Chromium must show nothing of it. This rule wants the complaint. */
async function frameIsRefused() {
  const sentence = 'a stranger cannot frame the consent page';
  const callback = await listenForCallback();
  const { client_id: clientId } = await register(metadata, CLIENT_NAME, callback.redirectUri);
  const { url } = authorization(metadata, { clientId, redirectUri: callback.redirectUri, resource });
  const stranger = http.createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>Prize</title><iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`);
  });
  await new Promise((resolve) => { stranger.listen(0, '127.0.0.1', resolve); });
  const { context, page } = await freshPerson(browser);
  try {
    await page.goto(`http://127.0.0.1:${stranger.address().port}/`);
    await page.waitForLoadState('load');
    const frames = page.frames().filter((frame) => frame !== page.mainFrame());
    assert.equal(frames.length, 1);
    const inside = await frames[0].evaluate(() => document.querySelectorAll('form').length).catch(() => 0);
    assert.equal(inside, 0, 'the form could be pressed inside a frame');
    console.log(`ok ${sentence}`);
  } catch (error) {
    tally.failed += 1;
    console.log(`not ok ${sentence}: ${error.message}`);
  } finally {
    await context.close();
    callback.close();
    stranger.close();
  }
}
