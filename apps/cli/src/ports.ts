import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { PUBLIC_PORT_VARIABLES, type PublicPorts } from './config.ts';
import { holderOf } from './port-holder.ts';
import { StartFailure } from './start-failure.ts';

/** Listeners of ours that only our own programs reach. */
export type InternalPorts = { readonly internal: number; readonly stdioHost: number };

/** Below every system's range for outgoing connections, so that no connection of somebody takes a port while its program restarts. */
const INTERNAL_FROM = 20_000;
const INTERNAL_TO = 30_000;
const ATTEMPTS = 200;

/** Throws a StartFailure that names each port which is taken, its variable and, where it is easily known, who has it. */
export async function checkPublicPorts(ports: PublicPorts): Promise<void> {
  const names = ['api', 'gateway', 'admin'] as const;
  const problems = await Promise.all(
    names.map(async (name) => {
      const code = await whyNot(ports[name]);
      if (code === null) return [];
      const variable = PUBLIC_PORT_VARIABLES[name];
      if (code === 'EACCES')
        return [`Port ${ports[name]} (${variable}) may not be listened on by this user. Set ${variable} to a port above 1023.`];
      const holder = code === 'EADDRINUSE' ? holderOf(ports[name]) : null;
      return [
        `Port ${ports[name]} is taken${holder === null ? '' : ` by ${holder}`}. Set ${variable} to another port, or stop what listens there.`,
      ];
    }),
  );
  const lines = problems.flat();
  if (lines.length > 0) throw new StartFailure(lines.join('\n'));
}

/** Two free ports that are none of `taken`. */
export async function pickInternalPorts(taken: readonly number[]): Promise<InternalPorts> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < ATTEMPTS && found.size < 2; attempt += 1) {
    const port = randomInt(INTERNAL_FROM, INTERNAL_TO);
    if (!taken.includes(port) && (await whyNot(port)) === null) found.add(port);
  }
  const [internal, stdioHost] = found;
  if (internal === undefined || stdioHost === undefined)
    throw new StartFailure(`No free ports between ${INTERNAL_FROM} and ${INTERNAL_TO} on 127.0.0.1.`);
  return { internal, stdioHost };
}

/** Null when we could listen there now, else the system's code. */
function whyNot(port: number): Promise<string | null> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'unknown'));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => done(null)));
  });
}
