// The public conformance suite against one running Portico, through a real token: a line for each scenario.
//
// PORTICO_ORIGIN, PORTICO_USER, PORTICO_PASSWORD say where and who (the server runs with --conformance-fixtures);
// PORTICO_RESULTS is the folder for the suite's results; PORTICO_SUITE the folder with the installed package.
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { discover, personAllows, register } from '../e2e/lib/flow.mjs';
import { judge, readResults, requiredScenarios } from './judge.mjs';
import { startProxy } from './proxy.mjs';
import { signIn } from './token.mjs';

const PINNED = '0.2.0-alpha.12';
// The pinned package's own lists; a count that moved means that the pin moved.
const REVISIONS = [{ revision: '2025-11-25', required: 30 }, { revision: '2026-07-28', required: 37 }];
// Unscored in the suite because its own example cannot pass it; a MUST of SEP-2243 all the same.
const ALSO_DEMANDED = { '2025-11-25': ['server-session-lifecycle'], '2026-07-28': ['http-header-validation'] };
const AUTHORIZATION = ['authorization-server-metadata-endpoint', 'authorization-code-grant'];
// A whole revision takes a few seconds; a hang must not eat the run.
const SUITE_TIMEOUT_MS = 180_000;

const { PORTICO_ORIGIN: origin, PORTICO_USER: username, PORTICO_PASSWORD: password } = process.env;
const results = process.env.PORTICO_RESULTS;
const packageFolder = path.join(process.env.PORTICO_SUITE, 'node_modules', '@modelcontextprotocol', 'conformance');
const node = process.env.PORTICO_SUITE_NODE ?? process.execPath;
const person = { origin, username, password };
let failed = 0;

/** Runs the suite with these words; `heard` gets all output so far whenever more arrives, and a way to end the run. */
function suite(words, heard = () => {}) {
  const child = spawn(node, [path.join(packageFolder, 'dist', 'index.js'), ...words], { stdio: ['ignore', 'pipe', 'pipe'], timeout: SUITE_TIMEOUT_MS });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk; heard(output, () => child.kill()); });
  return new Promise((resolve) => { child.on('close', (code) => resolve({ code, output })); });
}

async function freshFolder(name) {
  const folder = path.join(results, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

function report(group, rows) {
  for (const row of rows) {
    const figures = `${row.passed} checks passed, ${row.warnings} warnings, ${row.skipped} skipped`;
    if (!row.good) failed += 1;
    console.log(row.good ? `ok ${group} ${row.scenario}: ${figures}` : `not ok ${group} ${row.scenario}: ${row.failed.join('; ').slice(0, 1500)}`);
  }
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** The two scenarios for authorization servers: the tool prints an address, and a person goes there. */
async function authorization() {
  const { metadata, issuer, resource } = await discover(`${origin}/mcp`);
  const port = await freePort();
  const client = await register(metadata, 'Conformance suite', `http://127.0.0.1:${port}/callback`);
  const folder = await freshFolder('authorization');
  let gone = false;
  let trouble = '';
  const words = ['authorization', '--url', issuer, '--client-id', client.client_id, '--resource', resource, '-p', String(port), '-o', folder];
  const { output } = await suite(words, (heard, end) => {
    const address = heard.match(new RegExp(`${metadata.authorization_endpoint}\\?\\S+(?=\\s)`))?.[0];
    if (address && !gone) {
      gone = true;
      // Without its answer the tool would wait for minutes.
      personAllows(address, person).catch((error) => { trouble = error.message; end(); });
    }
  });
  const found = await readResults(folder, 'authorization-server');
  const rows = AUTHORIZATION.map((scenario) => judge(scenario, found.get(scenario)));
  if (trouble || rows.some((row) => !row.good)) console.error(`${trouble}\n${output}`.slice(-6000));
  report('authorization', rows);
}

/** Exactly the frozen set of one revision, on that revision's wire. */
async function server(proxy, { revision, required }) {
  const scenarios = await requiredScenarios(packageFolder, revision);
  if (scenarios.length !== required) throw new Error(`${revision} requires ${scenarios.length} scenarios, expected ${required}`);
  const folder = await freshFolder(revision);
  const { output } = await suite(['server', '--url', `${proxy.origin}/mcp`, '--requirements', revision, '-o', folder]);
  const found = await readResults(folder, 'server');
  const rows = [...scenarios, ...ALSO_DEMANDED[revision]].map((scenario) => judge(scenario, found.get(scenario)));
  if (rows.some((row) => !row.good)) console.error(output.slice(-6000));
  report(revision, rows);
}

const { version } = JSON.parse(await readFile(path.join(packageFolder, 'package.json'), 'utf8'));
if (version !== PINNED) throw new Error(`the suite is ${version}, not ${PINNED}`);
await authorization();
const token = await signIn(`${origin}/mcp`, person);
const proxy = await startProxy(origin, token.current);
for (const revision of REVISIONS) await server(proxy, revision);
proxy.close();
token.stop();
process.exitCode = failed === 0 ? 0 : 1;
