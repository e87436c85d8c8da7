// One line for each rule: `ok NAME` or `not ok NAME: why`. A rule that fails does not stop the next one.
let failed = 0;

/** Tries one rule. */
export async function rule(name, act) {
  try {
    const more = await act();
    console.log(`ok ${name}${more ? `: ${more}` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name}: ${String(error?.message ?? error).replaceAll(/\s+/g, ' ').slice(0, 600)}`);
  }
}

/** How many failed. */
export const failures = () => failed;

/** Waits until `look` gives something true; an error after `limit` milliseconds. */
export async function eventually(what, look, limit = 5_000) {
  const began = Date.now();
  for (;;) {
    const found = await look();
    if (found) return Date.now() - began;
    if (Date.now() - began > limit) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
}

/** The value below which this share of the numbers lies. */
export function percentile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
