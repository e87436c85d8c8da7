// One person at one browser with one client: through Portico's pages and Keycloak's own, to a code, tokens, and refreshes.
import { freshPerson, visibleText } from '../../e2e/lib/browser.mjs';
import { listenForCallback } from '../../e2e/lib/callback.mjs';
import { authorization, discover, register, tokens } from '../../e2e/lib/flow.mjs';

const { PORTICO_ORIGIN: portico, KEYCLOAK_ORIGIN: keycloak } = process.env;
// Consent, chooser, the page that leads on, Keycloak's own two, confirmation: more pages than this is a circle.
const PAGES_MAX = 10;
const PAGE_TIMEOUT_MS = 20_000;

/** A client that has registered and knows where to send its person. */
export async function newClient(name = 'A client of the Keycloak suite') {
  const { metadata, resource, scopes } = await discover(`${portico}/mcp`);
  const callback = await listenForCallback();
  const { client_id: clientId } = await register(metadata, name, callback.redirectUri);
  const ask = (more = {}) => authorization(metadata, { clientId, redirectUri: callback.redirectUri, resource, scope: scopes.join(' '), ...more });
  return { metadata, resource, callback, clientId, ask };
}

/** A person who has gone all the way: `tokens` when they were let in, else `error` is what the client was told. */
export async function enter(browser, person, { idp = 'keycloak', visitor, client, ...asked } = {}) {
  const theirs = visitor ?? await freshPerson(browser);
  const app = client ?? await newClient();
  const asking = app.ask({ idp_hint: idp, ...asked });
  await theirs.page.goto(asking.url, { waitUntil: 'domcontentloaded' });
  await walk(theirs.page, person, { idp, until: app.callback.redirectUri });
  const visit = new Visit(theirs, app, await app.callback.answer);
  if (visit.answer.get('state') !== asking.state) throw new Error('the state is not the one that was sent');
  if (visit.answer.get('iss') !== portico) throw new Error(`iss is ${visit.answer.get('iss')}`);
  if (visit.answer.has('code')) {
    visit.tokens = await tokens(app.metadata, {
      grant_type: 'authorization_code',
      code: visit.answer.get('code'),
      redirect_uri: app.callback.redirectUri,
      client_id: app.clientId,
      code_verifier: asking.verifier,
    });
  }
  return visit;
}

/** Presses what a person presses, page by page, until `until` answers or `stop` says that this page is the one. */
export async function walk(page, person, { idp = 'keycloak', until, stop = () => false }) {
  for (let seen = 0; seen < PAGES_MAX; seen += 1) {
    if (page.url().startsWith(until) || await stop(page)) return;
    const before = page.url();
    await page.evaluate(() => { window.isOldPage = true; });
    await answer(page, person, idp);
    await page.waitForFunction(() => !window.isOldPage, undefined, { timeout: PAGE_TIMEOUT_MS }).catch(async () => {
      throw new Error(`nothing came after ${new URL(before).pathname}: ${await visibleText(page)}`);
    });
    await page.waitForLoadState('domcontentloaded');
  }
  throw new Error(`still on ${new URL(page.url()).pathname} after ${PAGES_MAX} pages: ${await visibleText(page)}`);
}

async function answer(page, person, idp) {
  const has = async (selector) => (await page.locator(selector).count()) > 0;
  if (new URL(page.url()).origin === keycloak) {
    if (await has('#username')) await page.fill('#username', person.username);
    if (await has('#password')) await page.fill('#password', person.password);
    if (await has('#kc-login')) return page.click('#kc-login');
    throw new Error(`Keycloak shows something else: ${await visibleText(page)}`);
  }
  if (await has('button[name="decision"][value="allow"]')) return page.click('button[name="decision"][value="allow"]');
  const way = page.locator('ul.ways a', { hasText: idp });
  if ((await way.count()) > 0) return way.first().click();
  // The page between Portico and Keycloak leads on by itself.
  if ((await page.locator('a[href]').count()) > 0 && page.url().includes('/login/')) return undefined;
  throw new Error(`no way on: ${await visibleText(page)}`);
}

/** The person types the right password, and the browser is held back where Keycloak sends it: the callback's address, unvisited. */
export async function heldCallback(page, person) {
  const devtools = await page.context().newCDPSession(page);
  let held;
  // The redirect that answers the login form: routes of the driver do not see it, the browser's own tools do.
  devtools.on('Fetch.requestPaused', ({ requestId, responseHeaders = [] }) => {
    held = responseHeaders.find(({ name }) => name.toLowerCase() === 'location')?.value;
    devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 200, body: Buffer.from('held back').toString('base64') });
  });
  await devtools.send('Fetch.enable', { patterns: [{ urlPattern: '*/login-actions/authenticate*', requestStage: 'Response' }] });
  await page.fill('#username', person.username);
  await page.fill('#password', person.password);
  await page.click('#kc-login');
  await page.waitForFunction(() => document.body?.innerText === 'held back');
  await devtools.detach();
  if (!held?.startsWith(`${portico}/callback/`)) throw new Error(`Keycloak sent the browser to ${held}`);
  return held;
}

/** Is this Keycloak's page with the login form? */
export const isLogin = async (page) => (await page.locator('#kc-login').count()) > 0;

/** What one sign-in gave, and what its client does with it. */
export class Visit {
  constructor({ context, page }, client, answer) {
    this.context = context;
    this.page = page;
    this.client = client;
    this.answer = answer;
  }

  get error() { return this.answer.get('error'); }

  get scope() { return this.tokens.scope.split(' ').sort(); }

  /** One refresh. A refusal is an answer here, not an error. */
  async refresh() {
    const form = { grant_type: 'refresh_token', refresh_token: this.tokens.refresh_token, client_id: this.client.clientId };
    const started = Date.now();
    const response = await fetch(this.client.metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
    const body = await response.json();
    if (response.ok) this.tokens = { ...this.tokens, ...body };
    return { status: response.status, body, retryAfter: response.headers.get('retry-after'), elapsedMs: Date.now() - started };
  }

  /** How the MCP server answers this access token. */
  async call() {
    const response = await fetch(this.client.resource, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.tokens.access_token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'suite', version: '1' } },
      }),
    });
    await response.body?.cancel();
    return response.status;
  }

  async close() {
    await this.context.close();
    this.client.callback.close();
  }
}
