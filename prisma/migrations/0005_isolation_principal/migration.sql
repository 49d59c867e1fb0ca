-- A process of a stdio server may also be that of one principal's sessions.
alter table servers drop constraint servers_isolation_check;
alter table servers add constraint servers_isolation_check check (isolation in ('session', 'principal', 'shared'));
