import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiScope, type OrganisationId, type OrganisationSlug, type Role, type UserId } from '@patchbay/contracts';
import type { FastifyRequest } from 'fastify';

/** What a route asks for. A session has what its user's role gives; an API token has that, narrowed to its scopes. */
export type Permission = ApiScope;

/** Who is asking the API. Proven by a session cookie or an API token; never by a token that opens MCP. */
export type Caller = {
  readonly organisationId: OrganisationId;
  readonly organisationSlug: OrganisationSlug;
  readonly userId: UserId;
  readonly email: string;
  readonly role: Role;
  /** Operator of the installation: may create organisations and set what stdio servers run. */
  readonly operator: boolean;
  readonly permissions: ReadonlySet<Permission>;
  /** null for an API token. */
  readonly session: { readonly id: string; readonly signedInAt: Date; readonly expiresAt: Date } | null;
};

const ALL: readonly Permission[] = ApiScope.options;

const BY_ROLE: Readonly<Record<Role, readonly Permission[]>> = {
  owner: ALL,
  admin: ALL,
  member: ['servers:read', 'tokens:read', 'tokens:mint'],
  auditor: ['servers:read', 'grants:read', 'limits:read', 'tokens:read'],
};

/** What a role may do on its organisation's API. None implies the use of a tool. */
export function permissionsOf(role: Role, scopes: readonly string[] | null): ReadonlySet<Permission> {
  return new Set(BY_ROLE[role].filter((permission) => scopes === null || scopes.includes(permission)));
}

export type RequestWithCaller = FastifyRequest & { caller?: Caller };

/** The caller that the guard proved. Only on routes that are not public. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<RequestWithCaller>();
  if (caller === undefined) throw new Error('a public route has no caller');
  return caller;
});
