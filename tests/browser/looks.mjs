// What a page must be for everybody: readable on a phone, named for a screen reader, quiet on the network.
import assert from 'node:assert/strict';

// WCAG 2.2, 2.5.8: a target smaller than this cannot be hit reliably by a thumb.
const TARGET_PIXELS_MIN = 24;

/** Asserts the looks of the page that is open; `language` is what its reader asked for. */
export async function assertLooks(page, language) {
  // Playwright evaluates even where the page itself may run no script.
  const seen = await page.evaluate(() => {
    const name = (element) => element.labels?.[0]?.innerText ?? element.getAttribute('aria-label') ?? '';
    const fields = [...document.querySelectorAll('input:not([type="hidden"])')];
    const targets = [...document.querySelectorAll('button, input:not([type="hidden"]):not([type="checkbox"])')];
    return {
      language: document.documentElement.lang,
      title: document.title.trim(),
      headings: document.querySelectorAll('h1').length,
      main: document.querySelectorAll('main').length,
      overflow: document.documentElement.scrollWidth - window.innerWidth,
      nameless: fields.filter((field) => name(field).trim() === '').map(({ outerHTML }) => outerHTML),
      small: targets.map((target) => Math.round(target.getBoundingClientRect().height)),
      scripts: document.scripts.length,
      text: document.body.innerText,
    };
  });
  assert.equal(seen.language, language, 'the page says in which language it is');
  assert.notEqual(seen.title, '', 'the page has a title');
  assert.equal(seen.headings, 1, 'one heading of the first level');
  assert.equal(seen.main, 1, 'one main landmark');
  assert.ok(seen.overflow <= 0, `the page is ${seen.overflow} pixels wider than the screen`);
  assert.deepEqual(seen.nameless, [], 'every field has a label');
  assert.ok(seen.small.every((height) => height >= TARGET_PIXELS_MIN), `targets too small for a thumb: ${seen.small}`);
  assert.equal(seen.scripts, 0, 'no script is needed, so none is there');
  assert.doesNotMatch(seen.text, /\{\s*\$|\{\{|%[sd]\b/, 'a sentence shows its placeholder');
  return seen.text;
}

/** Everything the page loads must come from its own origin. */
export function watchRequests(context, origin) {
  const strangers = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:' && !request.isNavigationRequest()) strangers.push(request.url());
  });
  return strangers;
}
