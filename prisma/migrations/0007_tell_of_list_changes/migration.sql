-- Which era a server was found to be of, when it was asked last, and of which lists it says it tells changes.
alter table server_catalogues
  add column era text constraint server_catalogues_era_check check (era in ('legacy', 'modern')),
  add column era_probed_at timestamptz(3),
  add column told_lists text[] not null default array[]::text[]
    constraint server_catalogues_told_lists_check check (told_lists <@ array['tools', 'prompts', 'resources']);

-- Servers to listen to. One that changed since is asked for its catalogue first. A stdio server would only be kept running by it.
create function servers_to_listen_to()
  returns table (organisation_id uuid, server_id uuid, generation text, era text, lists text[])
  language sql stable security definer set search_path = public, pg_temp
  as $$ select s.organisation_id, s.id, s.generation, c.era, c.told_lists from servers s
    join server_catalogues c on c.organisation_id = s.organisation_id and c.server_id = s.id
    where c.generation = s.generation and c.era is not null and c.told_lists <> '{}' and s.kind <> 'stdio' $$;

revoke execute on function servers_to_listen_to() from public;
grant execute on function servers_to_listen_to() to patchbay_app;
