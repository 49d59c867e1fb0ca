import { Fault } from '@patchbay/errors';
import { Prisma } from '../generated/prisma/client.ts';
import type { Database } from './database.ts';

type RoleFacts = { name: string; bypasses: boolean; owns: boolean };

/** Refuses to run where the wall between organisations would not hold (security.md §6). Throws a Fault that says what to change. */
export async function checkTenantWall(database: Database): Promise<void> {
  const [role] = await database.query<RoleFacts>(Prisma.sql`
    select rolname as name, rolsuper or rolbypassrls as bypasses,
      exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where pg_has_role(current_user, c.relowner, 'member') and n.nspname in ('public', 'ports', 'bullmq')) as owns
    from pg_roles where rolname = current_user`);
  if (role === undefined || role.bypasses)
    throw new Fault('internal', `database role ${role?.name ?? '?'} bypasses row-level security: connect as another`);
  if (role.owns) throw new Fault('internal', `database role ${role.name} owns tables: connect as one that owns nothing`);
  const open = await database.query<{ name: string }>(Prisma.sql`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> '_prisma_migrations'
      and not (c.relrowsecurity and c.relforcerowsecurity and exists (select 1 from pg_policy p where p.polrelid = c.oid))`);
  if (open.length > 0)
    throw new Fault('internal', `tables without a forced row-level security policy: ${open.map(({ name }) => name).join(', ')}`);
}
