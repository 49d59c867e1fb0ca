import type { Server, ServerCatalogue, ServerSecret } from '../../prisma/index.ts';
import { MASK, type Server as ServerDto } from '@patchbay/contracts';
import { profileOf } from '../snapshot/index.ts';

export type ServerRow = Server & {
  readonly secrets: readonly Pick<ServerSecret, 'kind' | 'name'>[];
  readonly catalogue: Pick<ServerCatalogue, 'generation' | 'error' | 'notice'> | null;
};

/** What a row must carry to be shown. */
export const SHOWN = {
  secrets: { select: { kind: true, name: true }, orderBy: { name: 'asc' } },
  catalogue: { select: { generation: true, error: true, notice: true } },
} as const;

/** A server as the API shows it: secret values masked. */
export function viewServer(row: ServerRow, endpoints: { gatewayUrl: URL; organisation: string }): ServerDto {
  const masked = (kind: string): Record<string, string> =>
    Object.fromEntries(row.secrets.filter((secret) => secret.kind === kind).map(({ name }) => [name, MASK]));
  const view = {
    id: row.id,
    slug: row.slug,
    description: row.description,
    tags: row.tags,
    timeouts: { connectMs: row.connectMs, requestMs: row.requestMs },
    catalogueMode: row.catalogueMode,
    sampling: row.sampling,
    clientProfile: profileOf(row) ?? {},
    mcpUrl: `${endpoints.gatewayUrl.href.replace(/\/$/, '')}/${endpoints.organisation}/${row.slug}/mcp`,
    ...statusOf(row),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
  const own =
    row.kind === 'stdio'
      ? { command: row.command, args: row.args, env: masked('env'), isolation: row.isolation, egress: row.egress }
      : { url: row.url, headers: masked('header'), ...(row.kind === 'streamable-http' ? {} : { isolation: row.isolation }) };
  // Rows hold what our own schemas and the table's checks admitted.
  return { kind: row.kind, ...view, ...own } as ServerDto;
}

function statusOf({ generation, notice, catalogue }: ServerRow): Pick<ServerDto, 'status' | 'statusDetail'> {
  if (catalogue === null || catalogue.generation !== generation) return { status: 'pending', statusDetail: notice };
  if (catalogue.error !== null)
    return { status: 'unreachable', statusDetail: [catalogue.error, notice].filter((text) => text !== null).join(' ') };
  return { status: 'ready', statusDetail: [notice, catalogue.notice].filter((text) => text !== null).join(' ') || null };
}
