-- A server may also be one that a stdio host connects to: over HTTP+SSE or a WebSocket, at an address.
alter table servers drop constraint servers_kind_check;
alter table servers add constraint servers_kind_check check (kind in ('streamable-http', 'stdio', 'sse', 'websocket'));
