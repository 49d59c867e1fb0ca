import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type HttpMessage, rawBytes } from '../load/http-message.ts';
import { type Caller, legacyStream } from '../load/mcp-messages.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { untilIdle } from '../measure/until-idle.ts';
import { UPSTREAM_PATHS } from '../stage/nginx.ts';
import { openSession } from './calls.ts';
import { settle } from './cast.ts';
import type { Group, Row } from './row.ts';

/** A gateway lets a person have 64 streams, and an organisation 2,000. */
const ORGANISATIONS = 6;
const MEMBERS = 30;
const STREAMS = ORGANISATIONS * MEMBERS * 56;
const AT_ONCE = 100;
const BYTES_PER_KB = 1_024;
const COLLECT = ['--import', join(import.meta.dirname, '../preload/collect-garbage.mjs')];

const ROW: Row = {
  name: 'idle-streams',
  work: `${STREAMS.toLocaleString('en')} idle sessions with open streams, memory of each beyond a bare server's`,
  budget: { text: '≤ 8 KB', at: 8, is: 'at most' },
};

/** What a session costs that is open and silent: its stream at the gateway, beside one at a server that only writes a head. */
export const IDLE_ROWS: Group = {
  rows: [ROW],
  async measure(cast) {
    const url = `http://127.0.0.1:${cast.stage.upstream.port}${UPSTREAM_PATHS.modern}`;
    const gateway = await cast.stage.gateway(COLLECT);
    const callers: Caller[] = [];
    for (let k = 0; k < ORGANISATIONS; k += 1) {
      const slug = `idle-${k}`;
      const idle = await cast.stage.found({
        slug,
        toolsPerServer: 5,
        members: MEMBERS,
        kinds: [{ prefix: 'server', count: 1, era: 'modern', url }],
      });
      callers.push(...idle.members.map(({ token }) => ({ token, path: `/${slug}/mcp` })));
      await settle(gateway, idle);
    }
    const bare = await cast.bareStreams(COLLECT);
    cast.say(`Opening ${STREAMS} streams`);
    const messages: HttpMessage[] = [];
    for (let k = 0; k < STREAMS; k += 1) {
      const caller = callers[k % callers.length];
      if (caller !== undefined) messages.push(legacyStream(caller, await openSession(gateway.port, caller)));
    }
    const own = await eachStreamsKb({ pid: gateway.pid, port: gateway.port }, messages);
    const theirs = await eachStreamsKb({ pid: bare.pids[0] ?? 0, port: bare.port }, messages);
    return [
      { row: ROW.name, figure: own - theirs, text: `${(own - theirs).toFixed(1)} KB (${own.toFixed(1)} KB, bare ${theirs.toFixed(1)} KB)` },
    ];
  },
};

/** Opens one for each message, and closes them again. */
async function eachStreamsKb(
  { pid, port }: { readonly pid: number; readonly port: number },
  messages: readonly HttpMessage[],
): Promise<number> {
  const before = await heldBytes(pid);
  const sockets: Socket[] = [];
  for (let from = 0; from < messages.length; from += AT_ONCE)
    sockets.push(...(await Promise.all(messages.slice(from, from + AT_ONCE).map((message) => openStream(port, message)))));
  const after = await heldBytes(pid);
  for (const socket of sockets) socket.destroy();
  return (after - before) / messages.length / BYTES_PER_KB;
}

/** After what is garbage was collected. */
async function heldBytes(pid: number): Promise<number> {
  await untilIdle(pid, 'the holder of the streams');
  process.kill(pid, 'SIGUSR2');
  await untilIdle(pid, 'the holder of the streams');
  return residentBytes(pid);
}

/** Resolves when its head has come. */
function openStream(port: number, message: HttpMessage): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(rawBytes(port, message)));
    socket.once('error', reject);
    socket.once('data', (chunk: Buffer) => {
      const head = chunk.toString('latin1');
      if (head.startsWith('HTTP/1.1 200 ') && head.includes('text/event-stream')) resolve(socket);
      else reject(new Error(`a stream was answered with ${head.slice(0, 400)}`));
    });
  });
}
