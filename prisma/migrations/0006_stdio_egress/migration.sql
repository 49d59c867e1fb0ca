-- What a stdio server may reach, `host:port` each; nothing unless it is said.
alter table servers add column egress text[] not null default '{}';
