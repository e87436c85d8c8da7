// A token for a resource behind the edge: discovery, registration, a person in Chromium, exchange; all of it through Traefik.
import { listenForCallback } from '../../e2e/lib/callback.mjs';
import { authorization, discover, personAllows, register, tokens } from '../../e2e/lib/flow.mjs';

const { PORTICO_ORIGIN: origin, PORTICO_USER: username, PORTICO_PASSWORD: password } = process.env;

/** Signs in for `mcpUrl` with this scope. */
export async function tokenFor(mcpUrl, scope) {
  const { resource, metadata } = await discover(mcpUrl);
  const callback = await listenForCallback();
  try {
    const client = await register(metadata, 'Edge', callback.redirectUri);
    const asked = authorization(metadata, { clientId: client.client_id, redirectUri: callback.redirectUri, resource, scope });
    await personAllows(asked.url, { origin, username, password });
    const answer = await callback.answer;
    return await tokens(metadata, {
      grant_type: 'authorization_code',
      code: answer.get('code'),
      code_verifier: asked.verifier,
      redirect_uri: callback.redirectUri,
      client_id: client.client_id,
      resource,
    });
  } finally {
    callback.close();
  }
}
