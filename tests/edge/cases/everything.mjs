// A public MCP server from npm that knows nothing of OAuth, unchanged, behind forward-auth: an official SDK finds the way by itself.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { decide, freshPerson, openChromium } from '../../e2e/lib/browser.mjs';
import { listenForCallback } from '../../e2e/lib/callback.mjs';
import { SignInProvider } from '../../e2e/lib/provider.mjs';
import { EVERYTHING_PORT } from '../lib/everything.mjs';
import { ORIGIN } from '../lib/raw.mjs';
import { rule } from '../lib/rules.mjs';

const require = createRequire(new URL('../../e2e/run.mjs', import.meta.url));
const sdk = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/client/${name}.js`)).href);
const { PORTICO_USER: username, PORTICO_PASSWORD: password } = process.env;

export async function run({ service }) {
  const [{ Client }, { StreamableHTTPClientTransport }, { UnauthorizedError }] = await Promise.all([sdk('index'), sdk('streamableHttp'), sdk('auth')]);
  const endpoint = new URL(`${ORIGIN}/everything/mcp`);
  await service.ready();

  await rule('the public server knows nothing of OAuth: asked directly it serves anybody', async () => {
    const client = new Client({ name: 'portico-edge', version: '1.0.0' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${EVERYTHING_PORT}/mcp`)));
    assert.ok((await client.listTools()).tools.length > 3);
    await client.close();
  });

  const callback = await listenForCallback();
  const provider = new SignInProvider('Everything', callback.redirectUri);
  const browser = await openChromium();
  let allowed;
  provider.redirectToAuthorization = (url) => {
    allowed = (async () => {
      const { page, context } = await freshPerson(browser);
      await decide(page, { url: url.toString(), origin: ORIGIN, username, password });
      await context.close();
    })();
  };
  const transport = () => new StreamableHTTPClientTransport(endpoint, { authProvider: provider });
  const client = new Client({ name: 'portico-edge', version: '1.0.0' });

  await rule('through the edge an official SDK is sent to sign in, and comes back with a token for this service', async () => {
    const first = transport();
    await assert.rejects(new Client({ name: 'portico-edge', version: '1.0.0' }).connect(first), UnauthorizedError);
    await allowed;
    const answer = await callback.answer;
    await first.finishAuth(answer.get('code'));
    const claims = JSON.parse(Buffer.from(provider.tokens().access_token.split('.')[1], 'base64url'));
    assert.deepEqual([claims.aud, claims.scope], [`${ORIGIN}/everything/mcp`, 'everything:use']);
    await client.connect(transport());
  });
  await rule('its tools are listed and called', async () => {
    const { tools } = await client.listTools();
    const echo = tools.find(({ name }) => /^echo/.test(name));
    const answer = await client.callTool({ name: echo.name, arguments: { message: 'through the edge' } });
    assert.match(JSON.stringify(answer.content), /through the edge/);
  });
  await rule('progress arrives while its long tool still runs', async () => {
    const { tools } = await client.listTools();
    const long = tools.find(({ name }) => /long.?running/i.test(name));
    const began = Date.now();
    const steps = [];
    await client.callTool({ name: long.name, arguments: { duration: 3, steps: 3 } }, undefined, { onprogress: () => steps.push(Date.now() - began), timeout: 30_000 });
    assert.ok(steps.length >= 2 && steps[0] < Date.now() - began - 1_000, `${steps} of ${Date.now() - began} ms`);
    return `progress at ${steps.join(', ')} ms`;
  });
  await rule('a stale token is refreshed without the person', async () => {
    const before = provider.tokens().refresh_token;
    provider.spoilAccessToken();
    await client.listTools();
    assert.notEqual(provider.tokens().refresh_token, before);
  });
  await client.close();
  await browser.close();
  callback.close();
}
