// The official TypeScript SDK, 2.x line: `@modelcontextprotocol/client`. PORTICO_ERA `modern` negotiates
// (and must arrive at the stateless 2026-07-28), `legacy` does the 2025 handshake.
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { listenForCallback } from '../lib/callback.mjs';
import { SignInProvider } from '../lib/provider.mjs';
import { assertChallenge, assertWay, REFRESH_WAY, SIGN_IN_WAY, step, tracingFetch } from '../lib/report.mjs';
import { useTools } from '../lib/tools.mjs';

const endpoint = new URL(process.env.PORTICO_MCP_URL);
const modern = process.env.PORTICO_ERA === 'modern';
const callback = await listenForCallback();
const provider = new SignInProvider(`TypeScript SDK 2.x (${process.env.PORTICO_ERA})`, callback.redirectUri);
const { trace, fetch } = tracingFetch();
const transportOf = () => new StreamableHTTPClientTransport(endpoint, { authProvider: provider, fetch });
const clientOf = () => new Client(
  { name: 'portico-e2e', version: '1.0.0' },
  { versionNegotiation: { mode: modern ? 'auto' : 'legacy' } },
);

await step('a stranger is sent to sign in', async () => {
  const stranger = transportOf();
  await assert.rejects(clientOf().connect(stranger), UnauthorizedError);
  const answer = await callback.answer;
  assert.equal(answer.get('state'), provider.expectedState);
  await stranger.finishAuth(answer);
});
const client = clientOf();
await step('the signed-in client connects in its era', async () => {
  await client.connect(transportOf());
  const version = client.getNegotiatedProtocolVersion();
  assert.equal(version, modern ? '2026-07-28' : '2025-11-25');
});
await step('discovery, registration and token went the way of the specification', () => {
  assertWay(trace, SIGN_IN_WAY);
  assertChallenge(trace);
});
await useTools(client);
await step('a stale access token is refreshed without the person', async () => {
  const before = provider.tokens().refresh_token;
  trace.length = 0;
  provider.spoilAccessToken();
  await client.callTool({ name: 'echo', arguments: { message: 'still there?' } });
  assertWay(trace, REFRESH_WAY);
  assert.notEqual(provider.tokens().refresh_token, before, 'refresh tokens of public clients rotate');
});
await useTools(client);
await client.close();
callback.close();
