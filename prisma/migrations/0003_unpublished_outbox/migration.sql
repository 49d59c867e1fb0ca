-- How much of each organisation's outbox is not published, for the publisher and for whoever watches it. Takes the place of
-- unpublished_organisations(), which stays while control planes of the version before may run.
create function unpublished_outbox()
  returns table (organisation_id uuid, changes integer, oldest_at timestamptz)
  language sql stable security definer set search_path = public, pg_temp
  as $$ select x.organisation_id, count(*)::integer, min(x.created_at) from outbox x where x.published_at is null group by x.organisation_id $$;

revoke execute on function unpublished_outbox() from public;
grant execute on function unpublished_outbox() to patchbay_app;
