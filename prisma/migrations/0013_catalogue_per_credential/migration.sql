-- A server may also make its lists for each credential.
alter table servers drop constraint servers_catalogue_mode_check;
alter table servers add constraint servers_catalogue_mode_check check (catalogue_mode in ('shared', 'per-credential', 'live'));
