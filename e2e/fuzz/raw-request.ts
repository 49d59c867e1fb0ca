import { connect } from 'node:net';
import type { Random } from '../simulation/random.ts';

export type RawTarget = { readonly port: number; readonly path: string; readonly token: string };

/** What became of a request that is no HTTP, or stops short of being it: the status line if one came; null: the connection was closed. */
export async function sendRaw({ port, path, token }: RawTarget, body: Buffer, random: Random): Promise<number | null> {
  const bytes = malformedRequest(`127.0.0.1:${port}`, { path, token, body, random });
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer to ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`));
    }, ANSWER_MS_MAX);
    // Nothing more will come: whoever waits for the rest of it, waits for nothing.
    socket.on('connect', () => socket.end(bytes));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
      if (status !== undefined && status !== '100') socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      const status = /HTTP\/1\.1 ([2-5]\d{2}) /.exec(text)?.[1];
      resolve(status === undefined ? null : Number(status));
    });
  });
}

const ANSWER_MS_MAX = 15_000;

type Parts = { readonly path: string; readonly token: string; readonly body: Buffer; readonly random: Random };

function malformedRequest(host: string, { path, token, body, random }: Parts): Buffer {
  const head = (...more: string[]): string =>
    [`POST ${path} HTTP/1.1`, `Host: ${host}`, `Authorization: Bearer ${token}`, 'Content-Type: application/json', ...more, '', ''].join(
      '\r\n',
    );
  const chunk = `${body.length.toString(16)}\r\n`;
  const [before, after] = random.pick<readonly [string, string]>([
    [head('Transfer-Encoding: chunked'), 'zz\r\nx\r\n0\r\n\r\n'],
    [head('Transfer-Encoding: chunked') + chunk, '\r\n0\r\n\r\n'],
    [head('Transfer-Encoding: chunked') + chunk, 'no line end'],
    [head('Transfer-Encoding: chunked', `Content-Length: ${body.length}`) + chunk, '\r\n0\r\n\r\n'],
    [head('Transfer-Encoding: gzip, chunked') + chunk, '\r\n0\r\n\r\n'],
    [head(`Content-Length: ${body.length}`, `Content-Length: ${body.length + 1}`), ''],
    [head('Content-Length: -1'), ''],
    [head('Content-Length: 99999999999999999999'), ''],
    [head(`Content-Length: ${body.length}`, 'X: \0'), ''],
    [head(`Content-Length: ${body.length}`, `X: ${'x'.repeat(20_000)}`), ''],
    [head(`Content-Length: ${body.length}`, 'Content-Encoding: gzip'), ''],
    [head(`Content-Length: ${body.length}`).replace('HTTP/1.1', random.pick(['HTTP/9.9', 'HTTP', 'http/1.1'])), ''],
    [head(`Content-Length: ${body.length}`).replace('POST', random.pick(['PROPFIND', 'post', 'P\0ST', 'CONNECT'])), ''],
    [
      head(`Content-Length: ${body.length}`).replace(
        path,
        random.pick(['*', '//', `${path}/../x`, '%00', 'http://evil/', path.toUpperCase()]),
      ),
      '',
    ],
    [head(`Content-Length: ${body.length}`).replaceAll('\r\n', '\n'), ''],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', ''],
  ]);
  return Buffer.concat([Buffer.from(before, 'latin1'), body, Buffer.from(after, 'latin1')]);
}
