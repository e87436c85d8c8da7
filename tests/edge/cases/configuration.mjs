// What is in force, by Traefik's own account; what is public and what is not; what the logs hold; what changes while it runs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AUTHORITY, HOST, ORIGIN, get, request, send } from '../lib/raw.mjs';
import { eventually, rule } from '../lib/rules.mjs';

const { EDGE_TRAEFIK_API: API, EDGE_TRAEFIK_LOG: LOG, EDGE_ROUTES: ROUTES, EDGE_INSIDE: INSIDE } = process.env;
const inForce = () => fetch(`${API}/api/rawdata`).then((answer) => answer.json());
const entryPoints = () => fetch(`${API}/api/entrypoints`).then((answer) => answer.json());
const service = (...words) => execFileSync(process.env.EDGE_PORTICO, ['service', ...words, ...process.env.EDGE_PLACE.split('\u001f'), '--routes', ROUTES], { stdio: 'pipe' }).toString();

export async function run({ recorder, token }) {
  await rule('no router was dropped', async () => {
    const { routers, middlewares, services } = await inForce();
    for (const [name, one] of Object.entries({ ...routers, ...middlewares, ...services })) {
      assert.ok(one.status === 'enabled', `${name}: ${one.status} ${JSON.stringify(one.error ?? one.err)}`);
    }
    for (const name of ['authorization-server', 'mcp-server', 'inner', 'too-large', 'service-recorder', 'service-everything', 'keycloak']) {
      assert.ok(routers[`${name}@file`], name);
    }
  });

  await rule('the catch-all is the authorization server, and no two priorities of one host are a matter of luck', async () => {
    const { routers } = await inForce();
    const ours = Object.entries(routers).filter(([name, { rule: text }]) => name.endsWith('@file') && text.includes(`Host(\`${HOST}\`)`));
    const lowest = ours.reduce((least, one) => (one[1].priority < least[1].priority ? one : least));
    assert.equal(lowest[0], 'authorization-server@file');
    const at = (level) => ours.filter(([, { priority }]) => priority === level).map(([name]) => name);
    for (const level of new Set(ours.map(([, { priority }]) => priority))) {
      const names = at(level);
      assert.ok(names.length === 1 || names.every((name) => name.startsWith('service-') || name.startsWith('trick-')), `${level}: ${names}`);
    }
  });

  await rule('services have forward-auth, the MCP server and the authorization server have none', async () => {
    const { routers, middlewares } = await inForce();
    const asks = (router) => router.middlewares.filter((name) => middlewares[name]?.forwardAuth);
    for (const [name, router] of Object.entries(routers).filter(([own]) => own.endsWith('@file'))) {
      assert.equal(asks(router).length, name.startsWith('service-') ? 1 : 0, name);
    }
    const { forwardAuth } = middlewares['portico-service-auth@file'];
    assert.ok(!forwardAuth.trustForwardHeader);
    assert.ok(!forwardAuth.forwardBody);
    assert.deepEqual(forwardAuth.authRequestHeaders, ['Authorization']);
  });

  await rule('every gate for encoded characters is closed, and nobody\'s forwarded headers are trusted', async () => {
    const door = (await entryPoints()).find(({ name }) => name === 'websecure');
    const gates = Object.entries(door.http.encodedCharacters ?? {});
    assert.deepEqual(gates.filter(([, open]) => open), []);
    assert.ok(!door.forwardedHeaders?.insecure && !door.forwardedHeaders?.trustedIPs?.length);
    assert.equal(door.http.maxHeaderBytes, 32768);
  });

  await rule('no rule of ours takes a path by a bare prefix', async () => {
    const { routers } = await inForce();
    for (const [name, { rule: text }] of Object.entries(routers).filter(([own]) => own.endsWith('@file'))) {
      for (const [, prefix] of text.matchAll(/PathPrefix\(`([^`]*)`\)/g)) assert.ok(prefix.endsWith('/'), `${name}: ${prefix}`);
    }
  });

  await rule('/mcp and /mcp/ are the MCP server, /mcpx and /MCP are nobody', async () => {
    for (const target of ['/mcp', '/mcp/']) {
      const answer = await send(request('POST', target, { 'Content-Type': 'application/json' }, '{}'));
      assert.equal(answer.status, 401, target);
      assert.match(answer.header('www-authenticate'), new RegExp(`resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/mcp"`));
    }
    for (const target of ['/mcpx', '/MCP', '/mcp;a=b', '/mcp%20', '/mcp/x']) assert.equal((await send(get(target))).status, 404, target);
  });

  await rule('the documents are found bare and with a path', async () => {
    for (const target of ['/.well-known/oauth-authorization-server', '/.well-known/oauth-authorization-server/mcp', '/.well-known/oauth-authorization-server/recorder/mcp', '/.well-known/openid-configuration']) {
      assert.equal(JSON.parse(await fetch(ORIGIN + target).then((answer) => answer.text())).issuer, ORIGIN, target);
    }
    for (const [target, resource] of [['', '/mcp'], ['/mcp', '/mcp'], ['/recorder/mcp', '/recorder/mcp'], ['/everything/mcp', '/everything/mcp']]) {
      const document = await fetch(`${ORIGIN}/.well-known/oauth-protected-resource${target}`).then((answer) => answer.json());
      assert.equal(document.resource, ORIGIN + resource, target);
    }
    assert.equal((await fetch(`${ORIGIN}/.well-known/oauth-protected-resource/nobody`)).status, 404);
  });

  await rule('the question and the probes are not public', async () => {
    const described = { 'X-Forwarded-Method': 'GET', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': AUTHORITY, 'X-Forwarded-Uri': '/recorder/mcp', Authorization: `Bearer ${token}` };
    for (const target of ['/verify', '/verify/', '//verify', '/x/../verify', '/%76erify', '/health/ready', '/health/live', '/health']) {
      const answer = await send(get(target, described));
      assert.equal(answer.status, 404, `${target}: ${answer.body}`);
    }
    assert.equal((await fetch(`${INSIDE}/health/ready`)).status, 200, 'inside they are');
  });

  await rule('HSTS is said on every answer', async () => {
    for (const target of ['/', '/mcp', '/nothing-here', '/verify', '/recorder/mcp', '/token']) {
      assert.deepEqual((await send(get(target))).all('strict-transport-security'), ['max-age=31536000'], target);
    }
  });

  await rule('the log of the edge holds no query, no token and no cookie', async () => {
    const marks = ['query-mark-7f3a', 'token-mark-9b21', 'cookie-mark-44cd', 'code-mark-1e0f'];
    const before = readFileSync(LOG, 'utf8').length;
    await send(get(`/authorize?state=${marks[0]}&code=${marks[3]}`, { Cookie: `a=${marks[2]}`, Authorization: `Bearer ${marks[1]}` }));
    await send(get(`/recorder/mcp?access_token=${marks[0]}`, { Cookie: `a=${marks[2]}`, Authorization: `Bearer ${marks[1]}` }));
    await eventually('the access log was written', () => (readFileSync(LOG, 'utf8').slice(before).match(/"DownstreamStatus"/g) ?? []).length >= 2);
    const log = readFileSync(LOG, 'utf8');
    for (const mark of [...marks, token.slice(-40)]) assert.ok(!log.includes(mark), mark);
  });

  await rule('a service is added and taken away while everything runs', async () => {
    const status = async () => (await send(get('/late/mcp', { Authorization: `Bearer ${token}` }))).body;
    assert.match(await status(), /nothing at this path/);
    const port = process.env.EDGE_RECORDER_PORT;
    service('add', 'late', `http://127.0.0.1:${port}`, '--scope', 'late:use');
    const took = await eventually('the routes are live', async () => (await inForce()).routers['service-late@file']);
    const { value, seen } = await recorder.during(() => send(get('/late/mcp', { Authorization: `Bearer ${token}` })));
    assert.deepEqual([value.status, seen.length], [404, 0], 'until the authorization server knows it, it is closed');
    service('remove', 'late');
    await eventually('the routes are gone', async () => !(await inForce()).routers['service-late@file']);
    return `live after ${took} ms`;
  });

  const odd = path.join(ROUTES, 'trick-odd.yaml');
  await rule('a router with a misspelt middleware is dropped, and its requests find the authorization server', async () => {
    const text = (name) => `http:\n  routers:\n    trick-odd:\n      rule: 'Host(\`${HOST}\`) && Path(\`/odd\`)'\n      priority: 150\n      entryPoints: [websecure]\n      middlewares: [${name}]\n      service: service-recorder\n      tls: {}\n`;
    writeFileSync(odd, text('portico-service-auht'));
    await eventually('Traefik has read it', async () => (await inForce()).routers['trick-odd@file']);
    const { value, seen } = await recorder.during(() => send(get('/odd', { Authorization: `Bearer ${token}` })));
    assert.deepEqual([value.status, seen.length], [404, 0]);
    assert.match(value.body, /nothing at this path/);
  });
  await rule('a broken file leaves what was in force', async () => {
    writeFileSync(odd, 'http: [this is: not what it should be\n');
    await new Promise((resolve) => { setTimeout(resolve, 1_000); });
    assert.equal((await send(get('/recorder/mcp'))).status, 401);
    assert.equal((await send(get('/recorder/mcp', { Authorization: `Bearer ${token}` }))).status, 200);
    rmSync(odd);
    await eventually('Traefik has read the rest again', async () => !(await inForce()).routers['trick-odd@file']);
  });
}
