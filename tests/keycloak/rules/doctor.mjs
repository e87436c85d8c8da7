// `portico doctor` at a realm that knows nothing of Portico, and the sign-in afterwards.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Realm } from '../lib/keycloak.mjs';
import { portico, rule } from '../lib/suite.mjs';

const { PORTICO_BINARY: binary, PORTICO_SETTINGS: settings, PATH } = process.env;

await rule('one command of the doctor turns a realm that knows nothing of Portico into a working login', async (visit) => {
  const person = { username: 'dora', password: 'dora-dev-password' };
  await new Realm('').settings('POST', '', {
    realm: 'bare',
    enabled: true,
    roles: { realm: [{ name: 'mcp-reader' }] },
    users: [
      {
        username: person.username,
        enabled: true,
        email: 'dora@portico.test',
        firstName: 'Dora',
        lastName: 'Example',
        credentials: [{ type: 'password', value: person.password, temporary: false }],
        realmRoles: ['mcp-reader', 'offline_access'],
      },
      {
        username: 'service-account-portico-doctor',
        enabled: true,
        serviceAccountClientId: 'portico-doctor',
        clientRoles: { 'realm-management': ['view-realm', 'view-clients', 'manage-clients'] },
      },
    ],
    clients: [{ clientId: 'portico-doctor', secret: 'bare-doctor-secret', serviceAccountsEnabled: true, standardFlowEnabled: false, publicClient: false }],
  });
  const bare = new Realm('bare');
  const doctor = spawn(binary, ['doctor', 'keycloak', '--config', settings, '--upstream', 'bare', '--public-url', portico, '--fix'], {
    env: { PATH, PORTICO_DOCTOR_SECRET: 'bare-doctor-secret' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
  });
  const [code] = await once(doctor, 'exit');
  assert.equal(code, 0);
  const theirs = await visit(person, { idp: 'bare' });
  assert.deepEqual(theirs.scope, ['mcp:read']);
  assert.equal(await theirs.call(), 200);
  await bare.settings('DELETE', '');
});
