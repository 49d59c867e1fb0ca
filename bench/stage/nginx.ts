import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reservePort } from '../../e2e/support/ports.ts';
import { until } from '../../e2e/support/until.ts';
import { INITIALIZE_RESULT, resultText } from '../load/mcp-messages.ts';
import { childrenOf } from '../measure/cpu-time.ts';
import { type Child, listens, startChild } from './child.ts';

/** An nginx with one worker. `pids`: all of its processes. */
export type Nginx = Child & { readonly port: number; readonly pids: readonly number[] };

/** Where the upstream answers what: a server of each era, and one whose results have a megabyte. */
export const UPSTREAM_PATHS = { modern: '/modern', legacy: '/legacy', large: '/large' } as const;

export const LARGE_BYTES = 1_048_576;

const JSON_TYPE = 'default_type application/json;';

/** Answers each call with a fixed result, so that it is never what limits. Also takes what a gateway sends to a collector of traces. */
export async function startUpstream(folder: string): Promise<Nginx> {
  const home = homeOf(folder, 'upstream');
  writeFileSync(join(home, 'large.json'), resultText('modern', LARGE_BYTES));
  const { legacy, large, modern } = UPSTREAM_PATHS;
  return startNginx(
    home,
    `
    location = ${modern} { ${JSON_TYPE} return 200 '${resultText('modern')}'; }
    location = ${legacy} {
      ${JSON_TYPE}
      if ($request_method = GET) { return 405; }
      if ($request_method = DELETE) { return 204; }
      if ($http_mcp_session_id = '') { add_header mcp-session-id upstream-session; return 200 '${INITIALIZE_RESULT}'; }
      return 200 '${resultText('legacy')}';
    }
    location = ${large} { error_page 404 405 =200 /large.json; }
    location = /large.json { ${JSON_TYPE} root ${home}; }
    location = /v1/traces { ${JSON_TYPE} return 200 '{}'; }`,
  );
}

/** A plain reverse proxy before the upstream. */
export function startNginxProxy(folder: string, upstreamPort: number): Promise<Nginx> {
  const location = `
    location / {
      rewrite ^ ${UPSTREAM_PATHS.modern} break;
      proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection '';
    }`;
  return startNginx(homeOf(folder, 'proxy'), location, `upstream upstream { server 127.0.0.1:${upstreamPort}; keepalive 64; }`);
}

function homeOf(folder: string, name: string): string {
  const home = join(folder, `nginx-${name}`);
  mkdirSync(home, { recursive: true });
  return home;
}

async function startNginx(home: string, locations: string, more = ''): Promise<Nginx> {
  const port = await reservePort();
  const file = join(home, 'nginx.conf');
  writeFileSync(file, configuration({ home, locations, more, port }));
  // It does not look at its stdin: a shell ends it when ours closes.
  const script = '"$@" & read -r _; kill $!; wait';
  const child = startChild({
    name: 'nginx',
    command: '/bin/sh',
    args: ['-c', script, 'sh', 'nginx', '-p', home, '-c', file],
    folder: home,
  });
  await listens(child, port);
  const master = Number(readFileSync(join(home, 'nginx.pid'), 'utf8'));
  const workers = await until(() => (childrenOf(master).length > 0 ? childrenOf(master) : null), { what: 'a worker of nginx' });
  return { ...child, port, pids: [master, ...workers] };
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

type Configuration = { readonly home: string; readonly port: number; readonly locations: string; readonly more: string };

function configuration({ home, locations, more, port }: Configuration): string {
  return `
daemon off;
worker_processes 1;
user root;
pid ${home}/nginx.pid;
error_log ${home}/error.log crit;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_max_body_size 32m;
  client_body_buffer_size 64k;
  ${TEMPORARY.map((name) => `${name}_temp_path ${home}/${name};`).join('\n  ')}
  ${more}
  server {
    listen 127.0.0.1:${port} backlog=4096;${locations}
  }
}
`;
}
