// The public "everything" server of the MCP project, as it comes from npm: it knows nothing of OAuth and is told nothing of it.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { eventually } from './rules.mjs';

export const EVERYTHING_PORT = Number(process.env.EDGE_EVERYTHING_PORT);

/** Starts it in its streamable HTTP mode. */
export function startEverything() {
  const program = path.join(process.env.EDGE_SERVICES, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const { NODE_OPTIONS, ...env } = process.env;
  const child = spawn(process.execPath, [program, 'streamableHttp'], { env: { ...env, PORT: String(EVERYTHING_PORT) }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk) => { said += chunk; });
  child.stderr.on('data', (chunk) => { said += chunk; });
  return {
    said: () => said,
    stop: () => child.kill(),
    ready: () => eventually('the everything server listens', () => fetch(`http://127.0.0.1:${EVERYTHING_PORT}/mcp`).then(() => true, () => false), 20_000),
  };
}
