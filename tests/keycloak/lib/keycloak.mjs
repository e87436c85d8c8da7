// Keycloak behind Portico's back: what an administrator does in its console, by its REST API.
import { randomBytes } from 'node:crypto';

// Where people see it, and where an administrator reaches it: not the same where a proxy stands in front.
const { KEYCLOAK_ORIGIN: seenAt, KEYCLOAK_INSIDE: origin, KEYCLOAK_ADMIN: admin, KEYCLOAK_ADMIN_PASSWORD: adminPassword } = process.env;
const PASSWORD = 'a-password-for-one-test';
// What keycloak/portico-realm.json gives to the account that changes people, and to nobody else.
const TEST_ADMIN = { grant_type: 'client_credentials', client_id: 'portico-test-admin', client_secret: 'portico-test-admin-dev-secret' };
const ADMINISTRATOR = { grant_type: 'password', client_id: 'admin-cli', username: admin, password: adminPassword };

/** The people of one realm, through the account that may change them; `settings` needs the administrator. */
export class Realm {
  constructor(name) { this.name = name; }

  get issuer() { return `${seenAt}/realms/${this.name}`; }

  /** Somebody new, in these groups; with everything that Keycloak wants to know unless `more` says otherwise. */
  async person(groups = [], more = {}) {
    const username = `p${randomBytes(5).toString('hex')}`;
    const response = await this.#ask(TEST_ADMIN, 'POST', '/users', {
      username,
      enabled: true,
      email: `${username}@portico.test`,
      emailVerified: true,
      firstName: 'Test',
      lastName: 'Person',
      credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
      ...more,
    });
    const id = response.headers.get('location').split('/').at(-1);
    const person = { id, username, password: PASSWORD };
    for (const group of groups) await this.join(person, group);
    return person;
  }

  async join(person, group) { await this.#ask(TEST_ADMIN, 'PUT', `/users/${person.id}/groups/${await this.#group(group)}`); }

  async leave(person, group) { await this.#ask(TEST_ADMIN, 'DELETE', `/users/${person.id}/groups/${await this.#group(group)}`); }

  async enable(person, enabled) { await this.#ask(TEST_ADMIN, 'PUT', `/users/${person.id}`, { enabled }); }

  /** Ends every session of theirs, as the button in the console does. */
  async logOut(person) { await this.#ask(TEST_ADMIN, 'POST', `/users/${person.id}/logout`); }

  /** How many sessions they have there. */
  async sessions(person) { return (await (await this.#ask(TEST_ADMIN, 'GET', `/users/${person.id}/sessions`)).json()).length; }

  /** Reads or changes what only the administrator of the server may. */
  async settings(method, path, body) {
    const response = await this.#ask(ADMINISTRATOR, method, path, body);
    const text = await response.text();
    return text === '' ? undefined : JSON.parse(text);
  }

  async changeClient(clientId, change) {
    const [client] = await this.settings('GET', `/clients?clientId=${clientId}`);
    await this.settings('PUT', `/clients/${client.id}`, change);
  }

  async #group(path) {
    const response = await this.#ask(TEST_ADMIN, 'GET', `/groups?search=${path.split('/').at(-1)}&exact=true`);
    const find = (groups) => groups.map((group) => (group.path === path ? group : find(group.subGroups ?? []))).find(Boolean);
    return find(await response.json()).id;
  }

  async #ask(account, method, path, body) {
    const realm = account === ADMINISTRATOR ? 'master' : this.name;
    const signedIn = await fetch(`${origin}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body: new URLSearchParams(account) });
    const { access_token: token } = await signedIn.json();
    const response = await fetch(`${origin}/admin/realms${this.name === '' ? '' : `/${this.name}`}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`Keycloak answered ${response.status} to ${method} ${path}: ${(await response.text()).slice(0, 300)}`);
    return response;
  }
}

/** The three of keycloak/portico-realm.json. */
export const devPerson = (username) => ({ username, password: `${username}-dev-password` });
