// A real Chromium and a person in front of it: opens a page, types, presses buttons.
//
// Owns how the browser is started and how a sign-in is done by hand. Knows nothing of OAuth: it is given a URL
// and stops when the browser has left Portico's origin.
import { chromium } from 'playwright-core';

// The closed network of a build machine makes Chromium's own traffic fail slowly: switch all of it off.
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

// Consent with sign-in, then at most a confirmation: a journey with more pages than this is going in circles.
const PAGES_MAX = 4;
const PAGE_TIMEOUT_MS = 15_000;

/** Starts Chromium with an empty profile of its own, which goes when the browser is closed. */
export function openChromium() {
  const executablePath = process.env.PORTICO_CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** One person at one browser: cookies of their own, and every complaint of the content security policy kept. */
export async function freshPerson(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PAGE_TIMEOUT_MS);
  const violations = [];
  context.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text());
  });
  return { context, violations, page: await context.newPage() };
}

/**
 * Goes to `url` and presses buttons until the browser is sent away from `origin`, to the client that asked.
 * Returns how many pages the person saw.
 */
export async function decide(page, { url, origin, username, password, decision = 'allow' }) {
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  for (let seen = 0; seen <= PAGES_MAX; seen += 1) {
    if (new URL(page.url()).origin !== origin) return seen;
    if (seen === PAGES_MAX) break;
    await answerPage(page, { username, password, decision });
  }
  throw new Error(`still on ${new URL(page.url()).pathname} after ${PAGES_MAX} pages: ${await visibleText(page)}`);
}

async function answerPage(page, { username, password, decision }) {
  const button = page.locator(`button[name="decision"][value="${decision}"]`);
  const submit = (await button.count()) > 0 ? button.first() : page.locator('button[type="submit"]').first();
  if ((await submit.count()) === 0) throw new Error(`no button to press: ${await visibleText(page)}`);
  if (decision === 'allow') {
    const name = page.locator('input[name="username"]');
    if ((await name.count()) > 0) await name.fill(username);
    const secret = page.locator('input[name="password"]');
    if ((await secret.count()) > 0) await secret.fill(password);
  }
  const before = page.url();
  await Promise.all([
    page.waitForEvent('framenavigated', { predicate: (frame) => frame === page.mainFrame() }),
    submit.click(),
  ]);
  await page.waitForLoadState('domcontentloaded');
  if (page.url() === before && (await page.locator('[role="alert"]').count()) > 0) {
    throw new Error(`the page came back with: ${(await page.locator('[role="alert"]').first().innerText()).trim()}`);
  }
}

/** What a person would read on the page, shortened for an error message. */
export async function visibleText(page) {
  const text = await page.locator('body').innerText().catch(() => '(no body)');
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
