-- Gateways that some control plane has heard, of no organisation: a control plane that starts must know who may still be serving.
create table pods (
  id uuid primary key,
  staleness_budget_ms integer not null,
  heard_at timestamptz(3) not null default current_timestamp
);

-- Nobody reads or writes it but through these.
alter table pods enable row level security;
alter table pods force row level security;
create policy through_functions on pods using (false) with check (false);

create function pod_heard(pod uuid, budget_ms integer) returns void
  language sql volatile security definer set search_path = public, pg_temp
  as $$
    insert into pods (id, staleness_budget_ms, heard_at) values (pod, budget_ms, clock_timestamp())
      on conflict (id) do update set staleness_budget_ms = excluded.staleness_budget_ms, heard_at = excluded.heard_at;
    -- One that was silent for longer than its budget serves no more; an hour for whoever looks.
    delete from pods where heard_at + staleness_budget_ms * interval '1 millisecond' < clock_timestamp() - interval '1 hour';
  $$;

create function pod_left(pod uuid) returns void
  language sql volatile security definer set search_path = public, pg_temp
  as $$ delete from pods where id = pod $$;

create function pods_heard()
  returns table (pod_id uuid, staleness_budget_ms integer, heard_ms_ago double precision)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select p.id, p.staleness_budget_ms, (extract(epoch from clock_timestamp() - p.heard_at) * 1000)::double precision from pods p
    where p.heard_at + p.staleness_budget_ms * interval '1 millisecond' > clock_timestamp() $$;

revoke execute on function pod_heard(uuid, integer), pod_left(uuid), pods_heard() from public;
grant execute on function pod_heard(uuid, integer), pod_left(uuid), pods_heard() to patchbay_app;
