// An official SDK in the hands of a person at a browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freshPerson } from '../../e2e/lib/browser.mjs';
import { browser, portico } from './suite.mjs';
import { walk } from './visit.mjs';

/** Every scope that the MCP server knows. */
export const EVERYTHING = ['mcp:infer', 'mcp:read', 'mcp:write'];

/** An SDK's whole way, with the person sent to every address it names; what it reports at the end. */
export async function sdk(person) {
  const program = fileURLToPath(new URL('../../e2e/clients/role.mjs', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, PORTICO_MCP_URL: `${portico}/mcp`, PORTICO_SCOPE: EVERYTHING.join(' ') },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  });
  const { context, page } = await freshPerson(browser);
  let report;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line);
    if (said.granted) report = said;
    // A second address is a step up, which this person cannot take.
    if (said.authorize && !report && page.url() === 'about:blank') {
      await page.goto(said.authorize, { waitUntil: 'domcontentloaded' });
      await walk(page, person, { until: new URL(said.authorize).searchParams.get('redirect_uri') });
    }
  }
  await context.close();
  assert.ok(report, 'the SDK did not come to its end');
  return report;
}
