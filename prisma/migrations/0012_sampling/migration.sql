-- Whether a server may ask its clients for completions, which spends their money.
alter table servers add column sampling text not null default 'relayed'
  constraint servers_sampling_check check (sampling in ('relayed', 'refused'));
