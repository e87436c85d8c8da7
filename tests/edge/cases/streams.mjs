// Streams through TLS and forward-auth: how soon the first byte is there, how late each event is, and that nothing cuts them.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { HOST, PORT, connect, get } from '../lib/raw.mjs';
import { percentile, rule } from '../lib/rules.mjs';

const RECORDER = Number(process.env.EDGE_RECORDER_PORT);
const CA = readFileSync(process.env.EDGE_CA);
/** Issue 5 and row D7: first byte of a stream. */
const FIRST_BYTE_P95_MS = 2_000;
const STREAMS = 60;
/** Longer than any time-out of the edge that is not meant for it (60 s for a request to arrive). */
const SILENCE_MS = 70_000;

/** Reads a stream: when its head came, and when each event was sent and received. */
function stream(options, secure) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const asked = (secure ? https : http).request(options, (response) => {
      const result = { status: response.statusCode, events: [], firstByte: undefined };
      response.on('data', (chunk) => {
        result.firstByte ??= performance.now() - began;
        const now = performance.timeOrigin + performance.now();
        for (const [, sent] of chunk.toString().matchAll(/data: ([\d.]+)/g)) result.events.push({ delay: now - Number(sent), at: performance.now() - began });
      });
      response.on('end', () => resolve(result));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

export async function run({ recorder, token }) {
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const agent = new https.Agent({ keepAlive: true, ca: CA, servername: HOST });
  const direct = (target) => stream({ host: '127.0.0.1', port: RECORDER, path: target, headers }, false);
  const edge = (target) => stream({ host: '127.0.0.1', port: PORT, servername: HOST, path: `/recorder${target}`, headers: { ...headers, host: `${HOST}:${PORT}` }, agent }, true);

  // Begun first, so that its minute passes beside the others.
  const silent = edge(`/events?count=2&every=100&after=${SILENCE_MS}`);
  const slowTool = edge(`/wait?ms=${SILENCE_MS}`);

  await rule('the first byte of a stream is there at once', async () => {
    const firstBytes = { direct: [], edge: [] };
    for (let at = 0; at < STREAMS; at += 1) {
      firstBytes.direct.push((await direct('/events?count=1')).firstByte);
      const seen = await edge('/events?count=1');
      assert.equal(seen.status, 200);
      firstBytes.edge.push(seen.firstByte);
    }
    const [own, through] = [percentile(firstBytes.direct, 0.95), percentile(firstBytes.edge, 0.95)];
    assert.ok(through < FIRST_BYTE_P95_MS, `p95 ${through} ms`);
    return `p95 ${through.toFixed(1)} ms through Traefik, ${own.toFixed(1)} ms direct, ratio ${(through / own).toFixed(1)}`;
  });

  await rule('events are not gathered: each leaves when it is sent', async () => {
    const [own, through] = [await direct('/events?count=40&every=50'), await edge('/events?count=40&every=50')];
    assert.equal(through.events.length, 40);
    const delay = ({ events }, share) => percentile(events.map((event) => event.delay), share);
    assert.ok(delay(through, 0.5) < 50, `half of the events are late by ${delay(through, 0.5)} ms or more`);
    return `delay p50 ${delay(through, 0.5).toFixed(2)} ms, p90 ${delay(through, 0.9).toFixed(2)} ms; direct ${delay(own, 0.5).toFixed(2)} and ${delay(own, 0.9).toFixed(2)} ms`;
  });

  await rule('when the client leaves, the service hears of it', async () => {
    const socket = await connect();
    socket.write(get('/recorder/events?count=1000&every=100', { Authorization: headers.authorization }));
    await new Promise((resolve) => { socket.once('data', resolve); });
    const left = new Promise((resolve) => { recorder.onClose = resolve; });
    socket.destroy();
    const began = Date.now();
    await Promise.race([left, new Promise((_, reject) => { setTimeout(() => reject(new Error('not within 5 s')), 5_000); })]);
    return `after ${Date.now() - began} ms`;
  });

  await rule('a stream that is silent for 70 s lives, and ends with all its events', async () => {
    const seen = await silent;
    assert.deepEqual([seen.status, seen.events.length], [200, 2]);
    assert.ok(seen.events[0].at > SILENCE_MS, `${seen.events[0].at}`);
  });
  await rule('a tool that takes 70 s to say anything is waited for', async () => assert.equal((await slowTool).status, 200));
  agent.destroy();
}
