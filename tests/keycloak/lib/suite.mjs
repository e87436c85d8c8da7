// What every rule of the suite stands on: a browser, two servers, and a line for each rule, `ok …` or `not ok …`.
import assert from 'node:assert/strict';
import { openChromium } from '../../e2e/lib/browser.mjs';
import { Realm } from './keycloak.mjs';
import { enter } from './visit.mjs';

const { KEYCLOAK_REALM, KEYCLOAK_BRIEF_IDLE_SECS } = process.env;
// As often as the suite's settings let Portico ask again, and a little more.
export const PAST_THE_RECHECK_MS = 11_000;
export const PAST_THE_IDLE_MS = (Number(KEYCLOAK_BRIEF_IDLE_SECS) + 3) * 1000;
// Issue 4: a back-channel notice ends the grants within a second.
export const NOTICE_MS = 1000;
// A resource server follows the endings once a second.
const ENDING_MS = 3000;
// Its first answers after a start take seconds on a busy machine.
const WARM_UP_MS = 60_000;

export const portico = process.env.PORTICO_ORIGIN;
export const realm = new Realm(KEYCLOAK_REALM);
// Two realms whose sessions idle out soon: Portico follows the sessions of one and outlives those of the other.
export const [following, outliving] = [new Realm('brief-follow'), new Realm('brief-outlive')];
export const browser = await openChromium();
const wanted = process.argv.slice(2);
let failed = 0;

/** One rule. What it opened by the function that it is given is closed by its end, however it ends. */
export async function rule(sentence, act) {
  if (wanted.length > 0 && !wanted.some((words) => sentence.includes(words))) return;
  const open = [];
  const started = Date.now();
  try {
    await act(async (...asked) => {
      const visit = await enter(browser, ...asked);
      open.push(visit);
      return visit;
    });
    console.log(`ok ${sentence} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${sentence}: ${String(error.message).replace(/\s+/g, ' ').slice(0, 600)}`);
    console.error(error);
  }
  for (const visit of open) await visit.close().catch(() => {});
}

/** Closes the browser; the exit code says whether every rule held. */
export async function close() {
  await browser.close();
  process.exitCode = failed === 0 ? 0 : 1;
}

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export function refused(answer, status, error) {
  assert.deepEqual([answer.status, answer.body.error], [status, error], told(answer));
}

export function stands(answer) {
  assert.equal(answer.status, 200, told(answer));
}

/** Without the tokens. */
const told = ({ status, body }) => `answered ${status}: ${body.error_description ?? Object.keys(body)}`;

/** A Keycloak that has just started may be slower than Portico waits: a client that is told 503 tries again. */
export async function goesOn(visit) {
  const since = Date.now();
  let answer = await visit.refresh();
  while (answer.status === 503 && Date.now() - since < WARM_UP_MS) {
    await pause(500);
    answer = await visit.refresh();
  }
  stands(answer);
}

/** The access token goes with its grant. */
export async function ends(visit) {
  const since = Date.now();
  while (await visit.call() !== 401) {
    assert.ok(Date.now() - since < ENDING_MS, `the access token is still good after ${ENDING_MS} ms`);
    await pause(50);
  }
}

/** The refresh token is refused within `ms`; until then refreshes may go on. */
export async function endsWithin(ms, visit) {
  const since = Date.now();
  let answer = await visit.refresh();
  while (answer.status === 200 && Date.now() - since < ms) answer = await visit.refresh();
  refused(answer, 400, 'invalid_grant');
}

/** A logout in the console of Keycloak ends the grant within a second, and only that person's. */
export async function consoleLogoutEndsOnlyTheirs(visit) {
  const person = await realm.person(['/mcp/writers']);
  const [theirs, somebodyElse] = [await visit(person), await visit(await realm.person(['/mcp/writers']))];
  assert.equal(await theirs.call(), 200);
  // From here Portico does not ask Keycloak again for a while: what ends the grant is the notice.
  stands(await theirs.refresh());
  await realm.logOut(person);
  await endsWithin(NOTICE_MS, theirs);
  await ends(theirs);
  assert.equal(await somebodyElse.call(), 200);
  stands(await somebodyElse.refresh());
}
