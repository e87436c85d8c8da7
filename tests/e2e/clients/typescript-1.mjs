// The official TypeScript SDK, 1.x line: `@modelcontextprotocol/sdk`, the 2025 eras.
import assert from 'node:assert/strict';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { listenForCallback } from '../lib/callback.mjs';
import { SignInProvider } from '../lib/provider.mjs';
import { assertChallenge, assertWay, REFRESH_WAY, SIGN_IN_WAY, step, tracingFetch } from '../lib/report.mjs';
import { useTools } from '../lib/tools.mjs';

const endpoint = new URL(process.env.PORTICO_MCP_URL);
const callback = await listenForCallback();
const provider = new SignInProvider('TypeScript SDK 1.x', callback.redirectUri);
const { trace, fetch } = tracingFetch();
const transportOf = () => new StreamableHTTPClientTransport(endpoint, { authProvider: provider, fetch });
const client = new Client({ name: 'portico-e2e', version: '1.0.0' });

await step('a stranger is sent to sign in', async () => {
  const stranger = transportOf();
  await assert.rejects(client.connect(stranger), UnauthorizedError);
  const answer = await callback.answer;
  assert.equal(answer.get('state'), provider.expectedState);
  assert.equal(answer.get('iss'), endpoint.origin);
  await stranger.finishAuth(answer.get('code'));
});
await step('the signed-in client initializes', () => client.connect(transportOf()));
await step('discovery, registration and token went the way of the specification', () => {
  assertWay(trace, SIGN_IN_WAY);
  assertChallenge(trace);
});
await useTools(client);
await step('a stale access token is refreshed without the person', async () => {
  const before = provider.tokens().refresh_token;
  trace.length = 0;
  provider.spoilAccessToken();
  await client.listTools();
  assertWay(trace, REFRESH_WAY);
  assert.notEqual(provider.tokens().refresh_token, before, 'refresh tokens of public clients rotate');
});
await useTools(client);
await client.close();
callback.close();
