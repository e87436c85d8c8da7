// Portico and a real Keycloak, seen by people at a real Chromium.
//
// `cargo xtask keycloak` starts both servers and says where they are; arguments are words of the rules to try.
import { noMoreErrands } from './lib/errands.mjs';
import { close } from './lib/suite.mjs';

// One after the other: two of them stop servers.
for (const theme of ['people', 'say', 'outages', 'doctor', 'attacks']) await import(`./rules/${theme}.mjs`);
await close();
noMoreErrands();
