// mcp-remote: the bridge that gives desktop programs, which only speak to child processes, a remote server.
// It is started as such a child; the program in front of it is the 1.x SDK over standard input and output.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { say, step } from '../lib/report.mjs';
import { useTools } from '../lib/tools.mjs';

const bridge = path.join(path.dirname(createRequire(import.meta.url).resolve('mcp-remote/package.json')), 'dist', 'proxy.js');
const memory = await mkdtemp(path.join(tmpdir(), 'portico-mcp-remote-'));
const asked = [];

async function throughBridge() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [bridge, process.env.PORTICO_MCP_URL, '--auth-timeout', '60'],
    // BROWSER=true: the bridge believes that it opened one; the person in this house reads the address it prints.
    env: { ...process.env, MCP_REMOTE_CONFIG_DIR: memory, BROWSER: 'true' },
    stderr: 'pipe',
  });
  let heard = '';
  transport.stderr.on('data', (chunk) => {
    heard += chunk;
    const address = /Please authorize this client by visiting:\s+(\S+)/.exec(heard)?.[1];
    if (address && !asked.includes(address)) {
      asked.push(address);
      say({ authorize: address });
    }
  });
  const client = new Client({ name: 'portico-e2e', version: '1.0.0' });
  try {
    await client.connect(transport, { timeout: 60_000 });
  } catch (error) {
    throw new Error(`${error.message}; the bridge said: ${heard.slice(-1500)}`);
  }
  return client;
}

async function tokensFile() {
  const entries = await readdir(memory, { recursive: true });
  const name = entries.find((entry) => entry.endsWith('_tokens.json'));
  assert.ok(name, `mcp-remote kept no tokens: ${entries}`);
  return path.join(memory, name);
}

const first = await step('the bridge signs its person in and connects', throughBridge);
assert.equal(asked.length, 1);
await useTools(first);
await first.close();

const kept = await tokensFile();
const before = JSON.parse(await readFile(kept, 'utf8'));
await writeFile(kept, JSON.stringify({ ...before, access_token: 'gone.stale.token' }));
const second = await step('a stale access token is refreshed without the person', async () => {
  const client = await throughBridge();
  assert.equal(asked.length, 1, 'the person was asked again');
  const after = JSON.parse(await readFile(kept, 'utf8'));
  assert.notEqual(after.refresh_token, before.refresh_token, 'refresh tokens of public clients rotate');
  return client;
});
await useTools(second);
await second.close();
await rm(memory, { recursive: true });
