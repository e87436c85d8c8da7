// Chromium over the pages of a Portico with two ways to sign in, one of which is down: an account kept here, and a provider at a port
// where nobody listens. The way over a provider that is there is walked in `tests/keycloak`.
//
// The same environment as run.mjs; PORTICO_PROVIDER is what the provider is called.
import assert from 'node:assert/strict';
import { decide } from '../e2e/lib/browser.mjs';
import { assertLooks } from './looks.mjs';
import { LANGUAGES, SCREENS, openRules, tabTo } from './rules.mjs';

const {
  PORTICO_ORIGIN: origin, PORTICO_USER: username, PORTICO_PASSWORD: password, PORTICO_SCREENSHOTS: folder, PORTICO_PROVIDER: provider,
} = process.env;
const ALLOW = 'button[name="decision"][value="allow"]';
const HERE = 'a[href$="idp=local"]';
const THERE = 'a[href$="idp=company"]';
const { browser, rule, picture, tally } = await openRules({ origin, folder });

/** Allows without being asked for a password, and stands at the choice. */
async function choose(page, url) {
  await page.goto(url);
  assert.equal(await page.locator('input[name="password"]').count(), 0, 'consent comes before any sign-in');
  await page.locator(ALLOW).click();
  await page.waitForURL(`${origin}/login/**`);
}

for (const viewport of SCREENS) {
  for (const language of LANGUAGES) {
    const at = `${viewport.width}-${language}`;
    const options = { viewport, locale: language };
    await rule(`consent before the choice is readable at ${at}`, options, async ({ page, ask }) => {
      await page.goto(ask().url);
      await assertLooks(page, language);
      await picture(page, `continue-${at}`);
    });
    await rule(`the choice of ways is readable at ${at}`, options, async ({ page, ask }) => {
      await choose(page, ask().url);
      const text = await assertLooks(page, language);
      assert.ok(text.includes(provider), 'the provider has its name');
      assert.equal(await page.locator('ul.ways a').count(), 2);
      await picture(page, `choice-${at}`);
    });
    await rule(`a provider that is down is told kindly at ${at}`, options, async ({ page, ask }) => {
      await choose(page, ask().url);
      const [response] = await Promise.all([page.waitForResponse(/idp=company/), page.locator(THERE).click()]);
      assert.equal(response.status(), 503);
      await assertLooks(page, language);
      assert.equal(await page.locator('[role="alert"]').count(), 1, 'the page says what went wrong, to screen readers too');
      await picture(page, `choice-silent-${at}`);
    });
  }
}

await rule('the other way still leads to the client', {}, async ({ page, callback, ask }) => {
  await choose(page, ask().url);
  await page.locator(THERE).click();
  await page.locator(HERE).click();
  await decideHere(page);
  assert.ok((await callback.answer).get('code'));
});

await rule('keyboard alone is enough to choose', {}, async ({ page, callback, ask }) => {
  await page.goto(ask().url);
  await tabTo(page, ALLOW);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${origin}/login/**`);
  await tabTo(page, HERE);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none', 'the focused way can be seen');
  await page.keyboard.press('Enter');
  await page.waitForSelector('input[name="username"]');
  await tabTo(page, 'input[name="username"]');
  await page.keyboard.type(username);
  await tabTo(page, 'input[name="password"]');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  assert.ok((await callback.answer).get('code'));
});

await rule('no script is needed to choose', { javaScriptEnabled: false }, async ({ page, callback, ask }) => {
  await choose(page, ask().url);
  await page.locator(HERE).click();
  await decideHere(page);
  assert.ok((await callback.answer).get('code'));
});

await rule('a hint at one way skips the choice', {}, async ({ page, callback, ask }) => {
  const url = new URL(ask().url);
  url.searchParams.set('idp_hint', 'local');
  await page.goto(url.toString());
  await page.locator(ALLOW).click();
  await page.waitForSelector('input[name="password"]');
  await decideHere(page);
  assert.ok((await callback.answer).get('code'));
});

await rule('who turns back at the choice may still deny', {}, async ({ page, callback, ask }) => {
  await choose(page, ask().url);
  await page.goBack();
  await page.locator('button[name="decision"][value="deny"]').click();
  const answer = await callback.answer;
  assert.equal(answer.get('error'), 'access_denied');
});

await browser.close();
process.exitCode = tally.failed === 0 ? 0 : 1;

/** Name and password, on the page that is open. */
function decideHere(page) {
  return decide(page, { url: page.url(), origin, username, password });
}
