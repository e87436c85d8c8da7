// A token the long way, kept alive: discovery, registration, PKCE, a person at a Chromium, and renewal at half life.
import { listenForCallback } from '../e2e/lib/callback.mjs';
import { authorization, discover, personAllows, register, tokens } from '../e2e/lib/flow.mjs';

/** Signs in and returns a token holder: `current()` is always a live access token. */
export async function signIn(mcpUrl, person) {
  const { resource, scopes, metadata } = await discover(mcpUrl);
  const callback = await listenForCallback();
  const { client_id: clientId } = await register(metadata, 'Conformance suite', callback.redirectUri);
  const { url, verifier } = authorization(metadata, { clientId, redirectUri: callback.redirectUri, scope: scopes.join(' '), resource });
  await personAllows(url, person);
  const answer = await callback.answer;
  callback.close();
  if (!answer.get('code')) throw new Error(`no code came back: ${answer}`);
  const common = { client_id: clientId, resource };
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
