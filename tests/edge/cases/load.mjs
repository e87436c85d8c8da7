// Two hundred callers at once, each asking as soon as it was answered: TLS, forward-auth, the service.
import assert from 'node:assert/strict';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { HOST, PORT } from '../lib/raw.mjs';
import { percentile, rule } from '../lib/rules.mjs';

const CA = readFileSync(process.env.EDGE_CA);
const CALLERS = 200;
const SECONDS = 10;
/** Issue 5. */
const ERRORS_MAX = 0.005;
const FIRST_BYTE_P95_MS = 2_000;

function call(agent, headers) {
  const began = performance.now();
  return new Promise((resolve) => {
    const asked = https.request({ host: '127.0.0.1', port: PORT, servername: HOST, path: '/recorder/mcp', method: 'POST', agent, headers }, (response) => {
      const firstByte = performance.now() - began;
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, firstByte }));
      response.on('error', () => resolve({ status: 0, firstByte }));
    });
    asked.on('error', () => resolve({ status: 0, firstByte: performance.now() - began }));
    asked.end('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  });
}

export async function run({ token }) {
  await rule('two hundred callers are served', async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: CALLERS, ca: CA, servername: HOST });
    const headers = { host: `${HOST}:${PORT}`, authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    // Two hundred handshakes are not the load that is asked about.
    await Promise.all(Array.from({ length: CALLERS }, () => call(agent, headers)));
    const until = Date.now() + SECONDS * 1_000;
    const answers = [];
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      while (Date.now() < until) answers.push(await call(agent, headers));
    }));
    agent.destroy();
    const failed = answers.filter(({ status }) => status !== 200).length;
    const p95 = percentile(answers.map(({ firstByte }) => firstByte), 0.95);
    const told = `${answers.length} calls in ${SECONDS} s, ${failed} failed, first byte p50 ${percentile(answers.map(({ firstByte }) => firstByte), 0.5).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`;
    assert.ok(answers.length > CALLERS * 2, told);
    assert.ok(failed / answers.length <= ERRORS_MAX, told);
    assert.ok(p95 < FIRST_BYTE_P95_MS, told);
    return told;
  });
}
