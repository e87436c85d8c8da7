// The steps of a sign-in, one by one, as a client without an SDK does them.
import { createHash, randomBytes } from 'node:crypto';
import { decide, freshPerson, openChromium } from './browser.mjs';

/** GET of a JSON document that must be there. */
async function document(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

/** From the 401 of `mcpUrl` to the documents of the resource and of its authorization server (RFC 9728, RFC 8414). */
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

/** The address where the person decides, with the verifier and the state that belong to it (RFC 7636). */
export function authorization(metadata, { clientId, redirectUri, ...more }) {
  const verifier = randomBytes(48).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const url = new URL(metadata.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    ...more,
  });
  return { url: url.toString(), verifier, state };
}

/** One request to the token endpoint, which must succeed. */
export async function tokens(metadata, form) {
  const response = await fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
  if (!response.ok) throw new Error(`the token endpoint answered ${response.status}: ${await response.text()}`);
  return response.json();
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
