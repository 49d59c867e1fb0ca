-- What the client that a token is made for can take of a list; null: anything.
alter table personal_tokens
  add column name_length_max integer constraint personal_tokens_name_length_max_check check (name_length_max > 0),
  add column name_punctuation text,
  add column tools_max integer constraint personal_tokens_tools_max_check check (tools_max > 0);
