import { startPostgres } from '@patchbay/embedded-postgres';

// A parent to be killed: starts a server, says which, and waits.
const [dataDir = '', superuserPassword = ''] = process.argv.slice(2);
const { pid, port } = await startPostgres({ dataDir, superuserPassword });
process.stdout.write(`${JSON.stringify({ pid, port })}\n`);
setInterval(() => undefined, 1_000);
