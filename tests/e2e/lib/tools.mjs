// What every client must be able to do once it is signed in: the `search` and `fetch` contract of ChatGPT
// (deep research), over the documents beside this folder.
import assert from 'node:assert/strict';
import { step } from './report.mjs';

/** `client` is any SDK's client: `listTools()` and `callTool({name, arguments})`. */
export async function useTools(client) {
  await step('the tools are listed', async () => {
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    for (const name of ['search', 'fetch', 'echo', 'calculate']) assert.ok(names.includes(name), `${name} is missing in ${names}`);
    for (const tool of tools.filter(({ name }) => name === 'search' || name === 'fetch')) {
      assert.equal(tool.annotations?.readOnlyHint, true, `${tool.name} must say that it only reads`);
      assert.ok(tool.outputSchema, `${tool.name} must declare its output`);
    }
  });
  const found = await step('search finds a document', async () => {
    const answer = await client.callTool({ name: 'search', arguments: { query: 'skipper lamp' } });
    const { results } = twoFoldContent(answer);
    assert.equal(results[0]?.title, 'The lighthouse at Amrum');
    assert.match(results[0].url, /^https?:\/\//);
    return results[0];
  });
  await step('fetch returns the document that search named', async () => {
    const document = twoFoldContent(await client.callTool({ name: 'fetch', arguments: { id: found.id } }));
    assert.equal(document.id, found.id);
    assert.equal(document.url, found.url);
    assert.match(document.text, /seven and a half seconds/);
  });
  await step('search finds nothing for words that stand nowhere', async () => {
    const { results } = twoFoldContent(await client.callTool({ name: 'search', arguments: { query: 'xylophonquartett' } }));
    assert.deepEqual(results, []);
  });
}

/** The same object twice: structured, and as the one text item that older clients read. */
function twoFoldContent(answer) {
  assert.notEqual(answer.isError, true, `the tool failed: ${JSON.stringify(answer.content)}`);
  assert.equal(answer.content.length, 1);
  assert.equal(answer.content[0].type, 'text');
  assert.deepEqual(JSON.parse(answer.content[0].text), answer.structuredContent);
  return answer.structuredContent;
}
