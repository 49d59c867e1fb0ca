-- What the clients of an endpoint can take of a list, the aggregated one's and each server's own; null: anything.
alter table organisations
  add column name_length_max integer constraint organisations_name_length_max_check check (name_length_max > 0),
  add column name_punctuation text,
  add column tools_max integer constraint organisations_tools_max_check check (tools_max > 0);
alter table servers
  add column name_length_max integer constraint servers_name_length_max_check check (name_length_max > 0),
  add column name_punctuation text,
  add column tools_max integer constraint servers_tools_max_check check (tools_max > 0);
