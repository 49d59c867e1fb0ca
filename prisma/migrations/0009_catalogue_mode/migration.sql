-- Whose lists a server makes: the same for everybody, or each session's own.
alter table servers add column catalogue_mode text not null default 'shared'
  constraint servers_catalogue_mode_check check (catalogue_mode in ('shared', 'live'));
