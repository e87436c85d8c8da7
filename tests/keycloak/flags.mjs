// Portico started with nothing but `--keycloak` and a secret: carol signs in and her client calls.
import assert from 'node:assert/strict';
import { openChromium } from '../e2e/lib/browser.mjs';
import { devPerson } from './lib/keycloak.mjs';
import { enter } from './lib/visit.mjs';

const browser = await openChromium();
try {
  const visit = await enter(browser, devPerson('carol'));
  assert.equal(await visit.call(), 200);
  await visit.close();
  console.log('ok two flags and a secret are all it takes to sign in at Keycloak');
} catch (error) {
  console.log(`not ok two flags and a secret are all it takes to sign in at Keycloak: ${String(error.message).replace(/\s+/g, ' ').slice(0, 600)}`);
  process.exitCode = 1;
}
await browser.close();
