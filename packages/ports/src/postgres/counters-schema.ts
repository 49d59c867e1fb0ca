import { WINDOW_SLICES as S } from '../counters.ts';

/**
 * Tables and functions of counters. A function takes the counter's lock first and reads the clock after it: a permit is charged to the
 * moment at which it is granted, not to when its taker began to wait. Clock: the server's. Slice k of a window is the k-th of its slices since 1970.
 */
export const COUNTERS = `
create unlogged table ports.counter_slices (
  organisation_id uuid not null,
  counter text not null,
  window_ms bigint not null,
  slice bigint not null,
  permits bigint not null,
  leaves_at timestamptz not null,
  primary key (organisation_id, counter, window_ms, slice)
);
create index counter_slices_leaves_at_idx on ports.counter_slices (leaves_at);
create unlogged table ports.counter_slots (
  organisation_id uuid not null,
  counter text not null,
  holder text not null,
  slots bigint not null,
  expires_at timestamptz not null,
  primary key (organisation_id, counter, holder)
);
create index counter_slots_expires_at_idx on ports.counter_slots (expires_at);

create function ports.lock_counter(organisation uuid, name text, out now_ms bigint) language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(organisation::text || name, 0));
  now_ms := floor(extract(epoch from clock_timestamp()) * 1000);
end $$;

create function ports.add_permits(organisation uuid, name text, window_ms bigint, slice bigint, permits bigint) returns void
language sql set search_path = pg_catalog as $$
  insert into ports.counter_slices as stored
  values (organisation, name, window_ms, slice, permits, to_timestamp((slice + ${S + 1}) * window_ms / ${S * 1_000}.0))
  on conflict (organisation_id, counter, window_ms, slice) do update set permits = stored.permits + excluded.permits
$$;

create function ports.take_permits(
  organisation uuid, name text, windows bigint[], maxima bigint[], wanted bigint,
  out granted bigint, out charged_at_ms bigint, out retry_after_ms bigint
) language plpgsql set search_path = pg_catalog as $$
declare
  ahead record;
begin
  charged_at_ms := ports.lock_counter(organisation, name);
  -- Slices ahead of us: the clock went back. They count as now, so that they leave with this slice and not at their own far time.
  for ahead in
    delete from ports.counter_slices s
    where organisation_id = organisation and counter = name and s.window_ms = any(windows) and slice > charged_at_ms * ${S} / s.window_ms
    returning s.window_ms, s.permits
  loop
    perform ports.add_permits(organisation, name, ahead.window_ms, charged_at_ms * ${S} / ahead.window_ms, ahead.permits);
  end loop;
  -- The oldest slice, of which a part is past, counts whole: with it the slices cover every real window that ends now.
  select coalesce(least(wanted, min(greatest(0, max - counted))), wanted) into granted from (
    select w.max, coalesce((select sum(permits) from ports.counter_slices s where organisation_id = organisation and counter = name
      and s.window_ms = w.ms and slice >= charged_at_ms * ${S} / w.ms - ${S}), 0)::bigint as counted
    from unnest(windows, maxima) as w (ms, max)
  ) as each_window;
  if granted > 0 then
    perform ports.add_permits(organisation, name, ms, charged_at_ms * ${S} / ms, granted) from unnest(windows) as w (ms);
  end if;
  retry_after_ms := case when granted < wanted then ports.counter_retry_ms(organisation, name, windows, maxima, charged_at_ms) else 0 end;
end $$;

-- Of windows that have nothing left: the time until so many slices have left that there is something; of several, the longest.
create function ports.counter_retry_ms(organisation uuid, name text, windows bigint[], maxima bigint[], now_ms bigint) returns bigint
language sql stable set search_path = pg_catalog as $$
  select coalesce(max(wait_ms), 0) from (
    select coalesce(min(ceil((slice + ${S + 1}) * ms / ${S}.0)::bigint - now_ms) filter (where left_by_then > total - max), ms) as wait_ms
    from (
      select w.ms, w.max, s.slice, sum(s.permits) over (partition by w.ms order by s.slice) as left_by_then,
        coalesce(sum(s.permits) over (partition by w.ms), 0) as total
      from unnest(windows, maxima) as w (ms, max)
      left join ports.counter_slices s on organisation_id = organisation and counter = name and s.window_ms = w.ms
        and slice >= now_ms * ${S} / w.ms - ${S}
    ) as running
    where total >= max group by ms
  ) as waits
$$;

create function ports.give_back_permits(organisation uuid, name text, windows bigint[], unspent bigint, charged_at_ms bigint) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  perform ports.lock_counter(organisation, name);
  update ports.counter_slices s set permits = greatest(0, permits - unspent)
  where organisation_id = organisation and counter = name and s.window_ms = any(windows) and slice = charged_at_ms * ${S} / s.window_ms;
end $$;

create function ports.hold_slots(
  organisation uuid, name text, who text, slots_max bigint, wanted bigint, ttl_ms double precision, out held bigint, out in_use bigint
) language plpgsql set search_path = pg_catalog as $$
declare
  life interval := ttl_ms * interval '1 millisecond';
  ends timestamptz := to_timestamp(ports.lock_counter(organisation, name) / 1000.0) + life;
begin
  delete from ports.counter_slots where organisation_id = organisation and counter = name and (holder = who or expires_at <= ends - life);
  -- The clock went back: nobody's slots outlive a life from now.
  update ports.counter_slots set expires_at = ends where organisation_id = organisation and counter = name and expires_at > ends;
  select coalesce(sum(slots), 0) into in_use from ports.counter_slots where organisation_id = organisation and counter = name;
  held := greatest(0, least(wanted, slots_max - in_use));
  in_use := in_use + held;
  if held > 0 then
    insert into ports.counter_slots values (organisation, name, who, held, ends);
  end if;
end $$;
`;

/** What pods may do with them; nothing runs with more rights than its caller's. */
export function counterRights(roles: string): string {
  return `
revoke all on all functions in schema ports from public, ${roles};
grant execute on all functions in schema ports to ${roles};
grant select, insert, update, delete on ports.counter_slices, ports.counter_slots to ${roles};
`;
}
