// Reads what the suite wrote: one `checks.json` a scenario, judged without the suite's own summary.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** What a revision requires of a server, from the pinned package's frozen list: scenario names. */
export async function requiredScenarios(packageFolder, revision) {
  const lines = (await readFile(path.join(packageFolder, 'requirements', `${revision}.yaml`), 'utf8')).split('\n');
  const start = lines.findIndex((line) => line === 'server:');
  const names = [];
  for (const line of lines.slice(start + 1)) {
    const name = /^ {2}- (\S+)$/.exec(line)?.[1];
    if (name) names.push(name);
    else if (/^\S/.test(line) && !line.startsWith('#')) break;
  }
  return names;
}

/** Every scenario's checks under `folder`; `prefix` is how the mode names its folders. */
export async function readResults(folder, prefix) {
  const results = new Map();
  for (const entry of await readdir(folder).catch(() => [])) {
    const scenario = new RegExp(`^${prefix}-(.+)-\\d{4}-\\d\\d-\\d\\dT[\\d-]+Z$`).exec(entry)?.[1];
    if (!scenario) continue;
    // A scenario that broke down leaves a folder without a result: it stays unknown, and unknown is not passed.
    const checks = await readFile(path.join(folder, entry, 'checks.json'), 'utf8').catch(() => undefined);
    if (checks) results.set(scenario, JSON.parse(checks));
  }
  return results;
}

/**
 * One row for a scenario. It passes when something succeeded and nothing failed.
 * A failed check that only says SHOULD is a warning: the suite reports some of these as failures.
 */
export function judge(scenario, checks) {
  const row = { scenario, passed: 0, failed: [], warnings: 0, skipped: 0 };
  for (const check of checks ?? []) {
    if (check.status === 'SUCCESS') row.passed += 1;
    else if (check.status === 'SKIPPED') row.skipped += 1;
    else if (check.status === 'WARNING' || isOnlyAdvice(check)) row.warnings += 1;
    else if (check.status === 'FAILURE') row.failed.push(`${check.id}: ${check.errorMessage ?? 'no message'}`);
  }
  if (checks === undefined) row.failed.push('the suite wrote no result');
  else if (row.passed === 0 && row.failed.length === 0) row.failed.push('no check succeeded');
  row.good = row.failed.length === 0;
  return row;
}

function isOnlyAdvice({ status, description = '' }) {
  return status === 'FAILURE' && /\bSHOULD\b/.test(description) && !/\bMUST\b/.test(description);
}
