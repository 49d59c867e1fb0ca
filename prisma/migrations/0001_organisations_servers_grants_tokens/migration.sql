-- Every tenant table: keys begin with the organisation, uniqueness is per organisation, row-level security is forced.
create table organisations (
  id uuid primary key,
  slug text not null,
  name text not null,
  epoch integer not null default 1,
  revision integer not null default 0,
  created_at timestamptz(3) not null default current_timestamp
);
create unique index organisations_slug_key on organisations (slug);

create table users (
  organisation_id uuid not null references organisations (id) on delete cascade,
  id uuid not null,
  email text not null,
  password_hash text not null,
  role text not null constraint users_role_check check (role in ('owner', 'admin', 'member', 'auditor')),
  operator boolean not null default false,
  created_at timestamptz(3) not null default current_timestamp,
  primary key (organisation_id, id)
);
create unique index users_organisation_id_email_key on users (organisation_id, email);

create table sessions (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  secret_hash text not null,
  created_at timestamptz(3) not null default current_timestamp,
  expires_at timestamptz(3) not null,
  primary key (organisation_id, id),
  foreign key (organisation_id, user_id) references users (organisation_id, id) on delete cascade
);
create unique index sessions_organisation_id_secret_hash_key on sessions (organisation_id, secret_hash);
create index sessions_secret_hash_idx on sessions (secret_hash);

create table api_tokens (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  name text not null,
  hint text not null,
  token_hash text not null,
  scopes text[],
  created_at timestamptz(3) not null default current_timestamp,
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  primary key (organisation_id, id),
  foreign key (organisation_id, user_id) references users (organisation_id, id) on delete cascade
);
create unique index api_tokens_organisation_id_token_hash_key on api_tokens (organisation_id, token_hash);
create index api_tokens_token_hash_idx on api_tokens (token_hash);

create table personal_tokens (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  name text not null,
  hint text not null,
  token_hash text not null,
  created_at timestamptz(3) not null default current_timestamp,
  expires_at timestamptz(3) not null,
  revoked_at timestamptz(3),
  primary key (organisation_id, id),
  foreign key (organisation_id, user_id) references users (organisation_id, id) on delete cascade
);
create unique index personal_tokens_organisation_id_token_hash_key on personal_tokens (organisation_id, token_hash);

create table servers (
  organisation_id uuid not null references organisations (id) on delete cascade,
  id uuid not null,
  slug text not null,
  kind text not null constraint servers_kind_check check (kind in ('streamable-http', 'stdio')),
  description text not null,
  tags text[],
  connect_ms integer not null,
  request_ms integer not null,
  url text,
  command text,
  args text[],
  isolation text not null constraint servers_isolation_check check (isolation in ('session', 'shared')),
  approved boolean not null default false,
  notice text,
  generation text not null,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  primary key (organisation_id, id),
  constraint servers_address_check check ((kind = 'stdio') = (command is not null) and (kind = 'stdio') = (url is null))
);
create unique index servers_organisation_id_slug_key on servers (organisation_id, slug);

create table server_secrets (
  organisation_id uuid not null,
  server_id uuid not null,
  kind text not null constraint server_secrets_kind_check check (kind in ('env', 'header')),
  name text not null,
  sealed text not null,
  version uuid not null,
  primary key (organisation_id, server_id, kind, name),
  foreign key (organisation_id, server_id) references servers (organisation_id, id) on delete cascade
);

create table server_catalogues (
  organisation_id uuid not null,
  server_id uuid not null,
  generation text not null,
  attempted_at timestamptz(3) not null,
  discovered_at timestamptz(3),
  error text,
  notice text,
  observed bytea,
  observed_hash text,
  accepted bytea,
  accepted_hash text,
  primary key (organisation_id, server_id),
  foreign key (organisation_id, server_id) references servers (organisation_id, id) on delete cascade
);

create table grants (
  organisation_id uuid not null,
  id uuid not null,
  subject_kind text not null constraint grants_subject_kind_check check (subject_kind in ('user', 'everyone')),
  user_id uuid,
  server_id uuid not null,
  mode text not null constraint grants_mode_check check (mode in ('all', 'names')),
  names text[],
  created_at timestamptz(3) not null default current_timestamp,
  primary key (organisation_id, id),
  foreign key (organisation_id, user_id) references users (organisation_id, id) on delete cascade,
  foreign key (organisation_id, server_id) references servers (organisation_id, id) on delete cascade,
  constraint grants_subject_check check ((subject_kind = 'user') = (user_id is not null))
);
create index grants_organisation_id_server_id_idx on grants (organisation_id, server_id);

create table bare_names (
  organisation_id uuid not null,
  kind text not null constraint bare_names_kind_check check (kind in ('tool', 'prompt')),
  name text not null,
  server_id uuid not null,
  primary key (organisation_id, kind, name),
  foreign key (organisation_id, server_id) references servers (organisation_id, id) on delete cascade
);
create index bare_names_organisation_id_server_id_idx on bare_names (organisation_id, server_id);

create table outbox (
  organisation_id uuid not null references organisations (id) on delete cascade,
  revision integer not null,
  invalidations jsonb not null,
  token_ids uuid[],
  created_at timestamptz(3) not null default current_timestamp,
  published_at timestamptz(3),
  primary key (organisation_id, revision)
);
create index outbox_unpublished_idx on outbox (organisation_id) where published_at is null;

-- No setting, no rows: current_setting(…, true) is null when unset and '' after a transaction that set it ended.
create function current_organisation() returns uuid language sql stable set search_path = pg_catalog, pg_temp
  as $$ select nullif(current_setting('patchbay.org', true), '')::uuid $$;

alter table organisations enable row level security;
alter table organisations force row level security;
create policy tenant on organisations using (id = current_organisation()) with check (id = current_organisation());

do $$
declare tenant_table text;
begin
  foreach tenant_table in array array['users', 'sessions', 'api_tokens', 'personal_tokens', 'servers', 'server_secrets',
    'server_catalogues', 'grants', 'bare_names', 'outbox'] loop
    execute format('alter table %I enable row level security', tenant_table);
    execute format('alter table %I force row level security', tenant_table);
    execute format('create policy tenant on %I using (organisation_id = current_organisation()) with check (organisation_id = current_organisation())', tenant_table);
  end loop;
end $$;

-- What runs without an organisation, in full. Each returns ids and what the caller has already proved to hold.
create function organisation_by_slug(wanted text)
  returns table (organisation_id uuid, slug text, name text, epoch integer, revision integer)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select o.id, o.slug, o.name, o.epoch, o.revision from organisations o where o.slug = wanted $$;

create function organisation_positions()
  returns table (organisation_id uuid, slug text, epoch integer, revision integer)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select o.id, o.slug, o.epoch, o.revision from organisations o order by o.created_at, o.id $$;

create function session_by_hash(wanted text)
  returns table (organisation_id uuid, slug text, session_id uuid, user_id uuid, email text, role text, operator boolean,
    signed_in_at timestamptz, expires_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select o.id, o.slug, s.id, u.id, u.email, u.role, u.operator, s.created_at, s.expires_at
    from sessions s join organisations o on o.id = s.organisation_id
    join users u on u.organisation_id = s.organisation_id and u.id = s.user_id
    where s.secret_hash = wanted and s.expires_at > now() $$;

create function api_token_by_hash(wanted text)
  returns table (organisation_id uuid, slug text, token_id uuid, user_id uuid, email text, role text, operator boolean, scopes text[])
  language sql stable security definer set search_path = public, pg_temp
  as $$ select o.id, o.slug, t.id, u.id, u.email, u.role, u.operator, t.scopes
    from api_tokens t join organisations o on o.id = t.organisation_id
    join users u on u.organisation_id = t.organisation_id and u.id = t.user_id
    where t.token_hash = wanted and t.revoked_at is null and (t.expires_at is null or t.expires_at > now()) $$;

create function unpublished_organisations()
  returns table (organisation_id uuid)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select distinct x.organisation_id from outbox x where x.published_at is null $$;

create function servers_due(attempted_before timestamptz)
  returns table (organisation_id uuid, server_id uuid)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select s.organisation_id, s.id from servers s
    left join server_catalogues c on c.organisation_id = s.organisation_id and c.server_id = s.id
    where c.attempted_at is null or c.generation <> s.generation
      -- A stdio server's offer changes with its registration: asking it again would only wake its process.
      or (c.attempted_at < attempted_before and (s.kind <> 'stdio' or c.error is not null)) $$;

revoke execute on all functions in schema public from public;
grant execute on all functions in schema public to patchbay_app;
grant usage on schema public to patchbay_app;
grant select, insert, update, delete on organisations, users, sessions, api_tokens, personal_tokens, servers, server_secrets,
  server_catalogues, grants, bare_names, outbox to patchbay_app;
