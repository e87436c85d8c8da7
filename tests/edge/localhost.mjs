// The edge under the name localhost: answers, and binds nobody to https there.
import assert from 'node:assert/strict';

for (const path of ['/', '/mcp', '/.well-known/oauth-authorization-server', '/nothing-here', '/verify']) {
  const answer = await fetch(`https://localhost:${process.env.EDGE_PORT}${path}`, { redirect: 'manual' });
  assert.ok(answer.status < 500, `${path}: ${answer.status}`);
  assert.equal(answer.headers.get('strict-transport-security'), null, path);
}
console.log('no hsts');
