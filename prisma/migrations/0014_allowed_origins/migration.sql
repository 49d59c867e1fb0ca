-- Whose pages may use the organisation's endpoints, as browsers write it.
alter table organisations add column allowed_origins text[] not null default '{}';
