// A token the long way: discovery, registration, PKCE, a person at a Chromium, and the code for tokens.
import { createHash, randomBytes } from 'node:crypto';
import { decide, freshPerson, openChromium } from '../e2e/lib/browser.mjs';
import { listenForCallback } from '../e2e/lib/callback.mjs';

/** GET of a JSON document that must be there. */
async function document(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

/** Registers a public client for one redirect address (RFC 7591). */
export async function register(metadata, name, redirectUri) {
  const response = await fetch(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    }),
  });
  if (response.status !== 201) throw new Error(`registration answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** From the 401 of `mcpUrl` to the documents of the resource and of its authorization server. */
export async function discover(mcpUrl) {
  const refused = await fetch(mcpUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  const challenge = refused.headers.get('www-authenticate') ?? '';
  const pointer = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
  if (refused.status !== 401 || !pointer) throw new Error(`expected 401 with resource_metadata, got ${refused.status} ${challenge}`);
  const resource = await document(pointer);
  const issuer = resource.authorization_servers[0];
  const metadata = await document(`${issuer}/.well-known/oauth-authorization-server`);
  return { resource: resource.resource, scopes: resource.scopes_supported, issuer, metadata };
}

/** Sends a person to `url` in a Chromium of their own, who allows what is asked. */
export async function personAllows(url, { origin, username, password }) {
  const browser = await openChromium();
  try {
    const { page } = await freshPerson(browser);
    await decide(page, { url, origin, username, password });
  } finally {
    await browser.close();
  }
}

async function tokens(metadata, form) {
  const response = await fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
  if (!response.ok) throw new Error(`the token endpoint answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Signs in and returns a token holder: `current()` is always a live access token, renewed at half its life. */
export async function signIn(mcpUrl, person) {
  const { resource, scopes, metadata } = await discover(mcpUrl);
  const callback = await listenForCallback();
  const client = await register(metadata, 'Conformance suite', callback.redirectUri);
  const verifier = randomBytes(48).toString('base64url');
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: callback.redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: randomBytes(16).toString('base64url'),
    scope: scopes.join(' '),
    resource,
  });
  await personAllows(url.toString(), person);
  const answer = await callback.answer;
  callback.close();
  if (!answer.get('code')) throw new Error(`no code came back: ${answer}`);
  const common = { client_id: client.client_id, resource };
  let held = await tokens(metadata, {
    ...common, grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: callback.redirectUri, code_verifier: verifier,
  });
  let timer;
  const renewLater = () => {
    timer = setTimeout(async () => {
      try {
        held = await tokens(metadata, { ...common, grant_type: 'refresh_token', refresh_token: held.refresh_token });
      } catch (error) {
        console.error(`could not renew the token: ${error.message}`);
      }
      renewLater();
    }, (held.expires_in * 1000) / 2);
    timer.unref();
  };
  renewLater();
  return { current: () => held.access_token, stop: () => clearTimeout(timer) };
}
