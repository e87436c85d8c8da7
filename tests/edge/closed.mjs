// The authorization server is gone and Traefik is not: nobody reaches a service, with or without a token.
import assert from 'node:assert/strict';
import { Recorder } from './lib/recorder.mjs';
import { send, get } from './lib/raw.mjs';

const recorder = await Recorder.open(process.env.EDGE_RECORDER_PORT);
for (const headers of [{}, { authorization: 'Bearer any.thing.at-all' }]) {
  const answer = await send(get('/recorder/mcp', headers));
  assert.ok(answer.status >= 500 && answer.status < 600, `${answer.status}`);
}
assert.equal(recorder.seen.length, 0);
await recorder.close();
console.log('closed');
