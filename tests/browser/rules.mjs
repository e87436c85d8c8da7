// How a rule about pages is judged: a fresh person, a fresh client, and nothing may complain or call a stranger meanwhile.
import assert from 'node:assert/strict';
import path from 'node:path';
import { freshPerson, openChromium } from '../e2e/lib/browser.mjs';
import { listenForCallback } from '../e2e/lib/callback.mjs';
import { authorization, discover, register } from '../e2e/lib/flow.mjs';
import { watchRequests } from './looks.mjs';

export const SCREENS = [{ width: 360, height: 740 }, { width: 1280, height: 800 }];
export const LANGUAGES = ['en', 'de'];
// A name that a careless page would run as code or spill over its edge.
export const CLIENT_NAME = 'Zeppelin & Söhne <script>alert(1)</script> Desktop';

/** Opens Chromium before the Portico at `origin`; `tally.failed` counts the rules that do not hold. */
export async function openRules({ origin, folder }) {
  const { metadata, resource, scopes } = await discover(`${origin}/mcp`);
  const browser = await openChromium();
  const tally = { failed: 0 };

  async function rule(sentence, options, act) {
    const callback = await listenForCallback();
    const { context, page, violations } = await freshPerson(browser, options);
    const strangers = watchRequests(context, origin);
    try {
      const { client_id: clientId } = await register(metadata, CLIENT_NAME, callback.redirectUri);
      const ask = (more = {}) => authorization(metadata, { clientId, redirectUri: callback.redirectUri, resource, ...more });
      await act({ page, context, callback, ask });
      assert.deepEqual(violations, [], 'the content security policy was violated');
      assert.deepEqual(strangers, [], 'the page called a stranger');
      console.log(`ok ${sentence}`);
    } catch (error) {
      tally.failed += 1;
      const where = path.join(folder, `failed-${sentence.replace(/\W+/g, '-')}.png`);
      await page.screenshot({ path: where, fullPage: true }).catch(() => {});
      console.log(`not ok ${sentence}: ${String(error.message).replace(/\s+/g, ' ').slice(0, 600)} (${where})`);
    } finally {
      await context.close();
      callback.close();
    }
  }

  const picture = (page, name) => page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
  return { browser, rule, picture, metadata, resource, scopes, tally };
}

/** Presses Tab until the element has the focus; a person gives up after a while. */
export async function tabTo(page, selector) {
  for (let pressed = 0; pressed < 20; pressed += 1) {
    const there = await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector);
    if (there) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector} is not reached by Tab`);
}
