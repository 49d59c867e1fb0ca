// What the suite starts as the client under test: it says where the suite's server is, and ends when what was to be done there is done.
const [, , control, url] = process.argv;
const context = process.env.MCP_CONFORMANCE_CONTEXT ?? '{}';
const answer = await fetch(control, { method: 'POST', body: JSON.stringify({ url, context: JSON.parse(context) }) });
process.stdout.write(await answer.text());
process.exitCode = answer.ok ? 0 : 1;
