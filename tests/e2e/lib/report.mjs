// How a client under test talks to the runner: one JSON object a line on standard output.
//   {"authorize": URL}  a person must go there      {"passed": text}  one thing was seen to hold
import assert from 'node:assert/strict';

export function say(object) { process.stdout.write(`${JSON.stringify(object)}\n`); }

/** One rule of a journey: the sentence is reported when it held; when it does not, the journey ends there. */
export async function step(sentence, act) {
  try {
    const value = await act();
    say({ passed: sentence });
    return value;
  } catch (error) {
    error.message = `${sentence}: ${error.message}`;
    throw error;
  }
}

/** Notes every request and its status, so that the journey can be checked for the way it took. */
export function tracingFetch() {
  const trace = [];
  const fetchAndNote = async (input, init) => {
    const url = new URL(typeof input === 'string' ? input : input.url ?? input);
    const response = await fetch(input, init);
    trace.push({
      method: (init?.method ?? 'GET').toUpperCase(),
      path: url.pathname,
      status: response.status,
      challenge: response.headers.get('www-authenticate'),
      form: init?.body instanceof URLSearchParams ? init.body : undefined,
    });
    return response;
  };
  return { trace, fetch: fetchAndNote };
}

/** Asserts that `wanted` (`METHOD path status`) happened in this order; anything may stand between. */
export function assertWay(trace, wanted) {
  const seen = trace.map(({ method, path, status }) => `${method} ${path} ${status}`);
  let from = 0;
  for (const pattern of wanted) {
    const at = seen.findIndex((line, index) => index >= from && line.startsWith(pattern.slice(0, -4)) && line.endsWith(pattern.slice(-4)));
    assert.ok(at >= 0, `expected ${pattern} next; the client went ${seen.join(', ')}`);
    from = at + 1;
  }
}

/** From nothing to tokens, as the authorization chapter of the MCP specification orders it. */
export const SIGN_IN_WAY = [
  'POST /mcp 401',
  'GET /.well-known/oauth-protected-resource 200',
  'GET /.well-known/oauth-authorization-server 200',
  'POST /register 201',
  'POST /token 200',
  'POST /mcp 200',
];
export const REFRESH_WAY = ['POST /mcp 401', 'POST /token 200', 'POST /mcp 200'];

export function assertChallenge(trace) {
  const refused = trace.find(({ status }) => status === 401);
  assert.match(refused?.challenge ?? '', /^Bearer .*resource_metadata="http/, 'the first 401 must name the resource metadata');
}
