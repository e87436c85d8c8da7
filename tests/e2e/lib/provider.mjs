// What an application gives to the TypeScript SDK so that it can sign its person in. Serves 1.x and 2.x alike:
// 2.x hands over one argument more, which a client of a single server may ignore.
import { randomBytes } from 'node:crypto';
import { say } from './report.mjs';

export class SignInProvider {
  #redirectUri;
  #name;
  #client;
  #tokens;
  #verifier;
  #state;
  #discovery;

  constructor(name, redirectUri) {
    this.#name = name;
    this.#redirectUri = redirectUri;
  }

  get redirectUrl() { return this.#redirectUri; }

  get clientMetadata() {
    return {
      client_name: this.#name,
      redirect_uris: [this.#redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    this.#state = randomBytes(16).toString('base64url');
    return this.#state;
  }

  get expectedState() { return this.#state; }

  clientInformation() { return this.#client; }
  saveClientInformation(client) { this.#client = client; }
  tokens() { return this.#tokens; }
  saveTokens(tokens) { this.#tokens = tokens; }
  saveCodeVerifier(verifier) { this.#verifier = verifier; }
  codeVerifier() { return this.#verifier; }
  discoveryState() { return this.#discovery; }
  saveDiscoveryState(state) { this.#discovery = state; }

  redirectToAuthorization(url) { say({ authorize: url.toString() }); }

  /** The access token has gone stale: the server will refuse it, and only the refresh token helps. */
  spoilAccessToken() { this.#tokens = { ...this.#tokens, access_token: 'gone.stale.token' }; }
}
