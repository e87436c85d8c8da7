// Keycloak keeps its say: who is disabled, loses a role or is signed out there is so here too, and how long a sign-in lives.
import assert from 'node:assert/strict';
import {
  consoleLogoutEndsOnlyTheirs, ends, endsWithin, following, NOTICE_MS, outliving, PAST_THE_IDLE_MS, PAST_THE_RECHECK_MS, pause, portico,
  realm, refused, rule, stands,
} from '../lib/suite.mjs';
import { isLogin, newClient, walk } from '../lib/visit.mjs';

await rule('a disabled person is refused at the next refresh past the recheck, and enabling does not bring the grant back', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  const somebodyElse = await visit(await realm.person(['/mcp/writers']));
  await realm.enable(person, false);
  await pause(PAST_THE_RECHECK_MS);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  await ends(theirs);
  await realm.enable(person, true);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  stands(await somebodyElse.refresh());
});

await rule('a lost role takes its scopes at the next refresh past the recheck, and the last one the grant', async (visit) => {
  const person = await realm.person(['/mcp/writers']);
  const theirs = await visit(person);
  assert.deepEqual(theirs.scope, ['mcp:read', 'mcp:write']);
  await realm.join(person, '/mcp/readers');
  await realm.leave(person, '/mcp/writers');
  await pause(PAST_THE_RECHECK_MS);
  stands(await theirs.refresh());
  assert.deepEqual(theirs.scope, ['mcp:read']);
  await realm.leave(person, '/mcp/readers');
  await pause(PAST_THE_RECHECK_MS);
  refused(await theirs.refresh(), 400, 'invalid_grant');
});

await rule('a logout in the console of Keycloak ends the grant within a second, and only that person\'s', async (visit) => {
  await consoleLogoutEndsOnlyTheirs(visit);
});

await rule('who signs out at Portico and Keycloak is signed out at both, and comes back', async (visit) => {
  const person = await realm.person(['/mcp/readers']);
  const theirs = await visit(person);
  const { page } = theirs;
  assert.equal(await realm.sessions(person), 1);
  await page.goto(`${portico}/logout`);
  await page.click('button[name="where"][value="everywhere"]');
  await page.waitForURL((url) => url.origin === portico && url.pathname === '/logout' && url.searchParams.has('state'));
  assert.equal(await realm.sessions(person), 0);
  refused(await theirs.refresh(), 400, 'invalid_grant');
  const client = await newClient();
  await page.goto(client.ask({ idp_hint: 'keycloak' }).url);
  await walk(page, person, { until: client.callback.redirectUri, stop: isLogin });
  assert.ok(await isLogin(page), 'Keycloak asks for the password again');
  client.callback.close();
});

await rule('with `outlive` Keycloak tells of the end of the offline session within a second, of a mere logout it tells nothing and the recheck holds', async (visit) => {
  const [ended, loggedOut] = [await outliving.person(['/mcp/writers']), await outliving.person(['/mcp/writers'])];
  const [first, second] = [await visit(ended, { idp: 'brief-outlive' }), await visit(loggedOut, { idp: 'brief-outlive' })];
  assert.equal(await outliving.sessions(loggedOut), 0, 'Keycloak keeps no online session beside an offline one');
  const [client] = await outliving.settings('GET', '/clients?clientId=portico');
  const [offline] = await outliving.settings('GET', `/users/${ended.id}/offline-sessions/${client.id}`);
  await outliving.settings('DELETE', `/sessions/${offline.id}?isOffline=true`);
  await endsWithin(NOTICE_MS, first);
  // Keycloak counts in whole seconds: a token of the same second would outlive the logout.
  await pause(1500);
  await outliving.logOut(loggedOut);
  await pause(PAST_THE_RECHECK_MS);
  refused(await second.refresh(), 400, 'invalid_grant');
});

await rule('who signs out at Portico and Keycloak leaves no offline session behind', async (visit) => {
  const person = await outliving.person(['/mcp/readers']);
  const theirs = await visit(person, { idp: 'brief-outlive' });
  const [client] = await outliving.settings('GET', '/clients?clientId=portico');
  const offline = () => outliving.settings('GET', `/users/${person.id}/offline-sessions/${client.id}`);
  assert.equal((await offline()).length, 1);
  await theirs.page.goto(`${portico}/logout`);
  await theirs.page.click('button[name="where"][value="everywhere"]');
  await theirs.page.waitForURL((url) => !url.href.startsWith(`${portico}/logout`) || url.searchParams.has('state'));
  refused(await theirs.refresh(), 400, 'invalid_grant');
  for (let tries = 0; (await offline()).length > 0; tries += 1) {
    assert.ok(tries < 20, 'the offline token was not handed back');
    await pause(100);
  }
});

await rule('past Keycloak\'s idle time `follow` ends and `outlive` goes on', async (visit) => {
  const [follower, survivor] = [await following.person(['/mcp/writers']), await outliving.person(['/mcp/writers'])];
  const follows = await visit(follower, { idp: 'brief-follow' });
  const outlives = await visit(survivor, { idp: 'brief-outlive' });
  await pause(PAST_THE_IDLE_MS);
  refused(await follows.refresh(), 400, 'invalid_grant');
  stands(await outlives.refresh());
  await outliving.enable(survivor, false);
  await pause(PAST_THE_RECHECK_MS);
  refused(await outlives.refresh(), 400, 'invalid_grant');
});

await rule('a session that is used within Keycloak\'s idle time goes on with `follow` too', async (visit) => {
  const follows = await visit(await following.person(['/mcp/writers']), { idp: 'brief-follow' });
  for (let round = 0; round < 3; round += 1) {
    await pause(PAST_THE_RECHECK_MS);
    stands(await follows.refresh());
  }
});
