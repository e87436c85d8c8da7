// Everything that must hold at the edge, on the real Traefik: prints a line for each rule, `ok NAME` or `not ok NAME: why`.
//
// xtask/src/edge/ sets the stage and says in EDGE_… where everything is. The service that most rules are about is lib/recorder.mjs: it
// notes what reaches it, so that "refused" means that nothing did.
import { failures } from './lib/rules.mjs';
import { Recorder } from './lib/recorder.mjs';
import { ORIGIN } from './lib/raw.mjs';
import { tokenFor } from './lib/signin.mjs';
import { startEverything } from './lib/everything.mjs';
import * as admitted from './cases/admitted.mjs';
import * as configuration from './cases/configuration.mjs';
import * as everything from './cases/everything.mjs';
import * as identityProvider from './cases/identity_provider.mjs';
import * as load from './cases/load.mjs';
import * as strangers from './cases/strangers.mjs';
import * as streams from './cases/streams.mjs';
import * as surprises from './cases/surprises.mjs';

const recorder = await Recorder.open(process.env.EDGE_RECORDER_PORT);
const service = startEverything();
try {
  const stage = {
    recorder,
    service,
    token: (await tokenFor(`${ORIGIN}/recorder/mcp`, 'recorder:use')).access_token,
    weak: (await tokenFor(`${ORIGIN}/recorder/mcp`, 'recorder:more')).access_token,
    other: (await tokenFor(`${ORIGIN}/mcp`, 'mcp:read')).access_token,
  };
  await configuration.run(stage);
  await strangers.run(stage);
  await admitted.run(stage);
  await surprises.run(stage);
  await identityProvider.run(stage);
  await everything.run(stage);
  await streams.run(stage);
  await load.run(stage);
} finally {
  service.stop();
  await recorder.close();
}
process.exitCode = failures() === 0 ? 0 : 1;
