// The official TypeScript SDK, 1.x line, in the hands of a person whose role decides what the client may do.
//
// PORTICO_SCOPE is what the application asks for. It reports what was granted, and which of two tools could be called.
import assert from 'node:assert/strict';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { listenForCallback } from '../lib/callback.mjs';
import { SignInProvider } from '../lib/provider.mjs';
import { say } from '../lib/report.mjs';

/** An application that asks for more than the resource demands at first. */
class Ambitious extends SignInProvider {
  redirectToAuthorization(url) {
    url.searchParams.set('scope', process.env.PORTICO_SCOPE);
    super.redirectToAuthorization(url);
  }
}

const endpoint = new URL(process.env.PORTICO_MCP_URL);
const callback = await listenForCallback();
const provider = new Ambitious('TypeScript SDK 1.x with a role', callback.redirectUri);
const transportOf = () => new StreamableHTTPClientTransport(endpoint, { authProvider: provider });
const client = new Client({ name: 'portico-keycloak', version: '1.0.0' });

const stranger = transportOf();
await assert.rejects(client.connect(stranger), UnauthorizedError);
const answer = await callback.answer;
assert.equal(answer.get('state'), provider.expectedState);
assert.equal(answer.get('iss'), endpoint.origin);
await stranger.finishAuth(answer.get('code'));
await client.connect(transportOf());

const found = await client.callTool({ name: 'search', arguments: { query: 'skipper lamp' } });
assert.equal(found.structuredContent.results[0]?.title, 'The lighthouse at Amrum');
say({ granted: provider.tokens().scope.split(' ').sort(), wrote: await writes() });
await client.close();
callback.close();

/** A note of their own needs the writing scope; without it the server asks for more, in a result or by a refusal. */
async function writes() {
  try {
    const written = await client.callTool({ name: 'note_write', arguments: { title: 'role', text: 'a note of mine' } });
    return written.isError !== true;
  } catch (error) {
    // The SDK asks for more first, and gives up when it was given no more: 403 insufficient_scope stands.
    if (error instanceof UnauthorizedError || error.code === 403) return false;
    throw error;
  }
}
