import type { Server, ServerSecret } from '../../prisma/index.ts';
import { createHash } from 'node:crypto';

type Connection = Pick<Server, 'kind' | 'url' | 'command' | 'args' | 'isolation' | 'egress'>;

/** Changes with anything that changes the connection. Secrets count by the version of their row, never by value. */
export function generationOf(
  { kind, url, command, args, isolation, egress }: Connection,
  secrets: readonly Pick<ServerSecret, 'kind' | 'name' | 'version'>[],
): string {
  const versions = secrets.map((secret) => `${secret.kind} ${secret.name} ${secret.version}`).sort();
  return createHash('sha256')
    .update(JSON.stringify([kind, url, command, args, isolation, versions, ...(egress.length === 0 ? [] : [egress])]))
    .digest('hex')
    .slice(0, 32);
}
