// Portico started with nothing but `--keycloak` and a secret.
import assert from 'node:assert/strict';
import { close, endsWithin, NOTICE_MS, realm, rule } from './lib/suite.mjs';

await rule('two flags and a secret are all it takes to sign in at Keycloak', async (visit) => {
  const theirs = await visit(await realm.person(['/mcp/readers']));
  assert.equal(await theirs.call(), 200);
});

await rule('with two flags, too, a logout in the console of Keycloak ends the grant within a second', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const theirs = await visit(person);
  await realm.logOut(person);
  await endsWithin(NOTICE_MS, theirs);
});

await close();
