// Runs every real client against one running Portico and prints a line for each: `ok NAME` or `not ok NAME: why`.
//
// PORTICO_ORIGIN, PORTICO_USER, PORTICO_PASSWORD say where and who; PORTICO_PYTHON_1 and _2 are
// interpreters, each with that line of the Python SDK.
// Arguments name the journeys to run; none means all.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import readline from 'node:readline';
import { decide, freshPerson, openChromium } from './lib/browser.mjs';

// Long enough for a cold Python and a cold Chromium on a busy machine, short enough that a hang is told.
const JOURNEY_TIMEOUT_MS = 120_000;

const { PORTICO_ORIGIN: origin, PORTICO_USER: username, PORTICO_PASSWORD: password } = process.env;
const { PORTICO_PYTHON_1: python1, PORTICO_PYTHON_2: python2 } = process.env;
const client = (name) => fileURLToPath(new URL(`clients/${name}`, import.meta.url));
const JOURNEYS = [
  { name: 'typescript-sdk-1', command: [process.execPath, client('typescript-1.mjs')] },
  { name: 'typescript-sdk-2-legacy', command: [process.execPath, client('typescript-2.mjs')], era: 'legacy' },
  { name: 'typescript-sdk-2-modern', command: [process.execPath, client('typescript-2.mjs')], era: 'modern' },
  { name: 'python-sdk-1', command: [python1, client('python-1.py')] },
  { name: 'python-sdk-2-legacy', command: [python2, client('python-2.py')], era: 'legacy' },
  { name: 'python-sdk-2-modern', command: [python2, client('python-2.py')], era: 'modern' },
  { name: 'mcp-remote', command: [process.execPath, client('mcp-remote.mjs')] },
];

/** Starts the client, sends a person to every address it names, and resolves when it has ended well. */
async function travel(browser, { command: [program, ...args], era }) {
  const child = spawn(program, args, {
    env: { ...process.env, PORTICO_MCP_URL: `${origin}/mcp`, PORTICO_ERA: era ?? '', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const complaints = [];
  const passed = [];
  let trouble;
  child.stderr.on('data', (chunk) => complaints.push(chunk));
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    const event = parsed(line);
    if (event?.passed) passed.push(event.passed);
    if (event?.authorize) signIn(browser, event.authorize).catch((error) => { trouble = error; child.kill('SIGKILL'); });
  });
  const timer = setTimeout(() => {
    trouble = new Error(`nothing more after ${JOURNEY_TIMEOUT_MS / 1000} s`);
    child.kill('SIGKILL');
  }, JOURNEY_TIMEOUT_MS);
  const code = await new Promise((resolve) => { child.on('close', resolve); });
  clearTimeout(timer);
  if (!trouble && code === 0 && passed.length > 0) return passed.length;
  throw new Error(`${trouble?.message ?? `exit code ${code}`} (after: ${passed.at(-1) ?? 'the start'})\n${Buffer.concat(complaints).toString().slice(-4000)}`);
}

function parsed(line) {
  try { return JSON.parse(line); } catch { return undefined; }
}

async function signIn(browser, url) {
  const { context, page, violations } = await freshPerson(browser);
  try {
    await decide(page, { url, origin, username, password });
    if (violations.length > 0) throw new Error(`content security policy: ${violations[0]}`);
  } finally {
    await context.close();
  }
}

const wanted = process.argv.slice(2);
const browser = await openChromium();
let failed = 0;
for (const journey of JOURNEYS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const started = Date.now();
  try {
    const steps = await travel(browser, journey);
    console.log(`ok ${journey.name}: ${steps} steps in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${journey.name}: ${error.message}`);
  }
}
await browser.close();
process.exitCode = failed === 0 ? 0 : 1;
