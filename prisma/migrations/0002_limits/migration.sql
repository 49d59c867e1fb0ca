-- Limits: how many calls, in which windows and at one time, by what counts together. They go with what they are about.
create table limits (
  organisation_id uuid not null references organisations (id) on delete cascade,
  id uuid not null,
  name text not null,
  mode text not null constraint limits_mode_check check (mode in ('enforce', 'audit')),
  per text[] constraint limits_per_check check (per <@ array['user', 'token', 'server', 'tool']),
  subject_kind text constraint limits_subject_kind_check check (subject_kind in ('user', 'everyone')),
  user_id uuid,
  token_id uuid,
  server_id uuid,
  tool text,
  window_seconds integer[] constraint limits_window_seconds_check check (1 <= all (window_seconds)),
  window_max integer[] constraint limits_window_max_check check (1 <= all (window_max)),
  concurrency integer constraint limits_concurrency_check check (concurrency >= 1),
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  primary key (organisation_id, id),
  foreign key (organisation_id, user_id) references users (organisation_id, id) on delete cascade,
  foreign key (organisation_id, token_id) references personal_tokens (organisation_id, id) on delete cascade,
  foreign key (organisation_id, server_id) references servers (organisation_id, id) on delete cascade,
  constraint limits_subject_check check ((subject_kind is not distinct from 'user') = (user_id is not null)),
  constraint limits_tool_check check (tool is null or server_id is not null),
  constraint limits_windows_check check (
    coalesce(cardinality(window_seconds), 0) = coalesce(cardinality(window_max), 0) and coalesce(cardinality(window_seconds), 0) <= 4),
  constraint limits_something_check check (coalesce(cardinality(window_seconds), 0) > 0 or concurrency is not null)
);
create index limits_organisation_id_user_id_idx on limits (organisation_id, user_id);
create index limits_organisation_id_token_id_idx on limits (organisation_id, token_id);
create index limits_organisation_id_server_id_idx on limits (organisation_id, server_id);

alter table limits enable row level security;
alter table limits force row level security;
create policy tenant on limits using (organisation_id = current_organisation()) with check (organisation_id = current_organisation());

grant select, insert, update, delete on limits to patchbay_app;
