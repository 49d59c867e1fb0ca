/** One request to one of the listeners under measurement. */
export type HttpMessage = {
  readonly method: 'POST' | 'GET';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What came back for one of them, whole. */
export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string };

/** Its bytes as they go over the wire to a listener on loopback, to be sent again and again. */
export function rawBytes(port: number, { body, headers, method, path }: HttpMessage): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (method === 'POST') lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Sends it once, outside of any measurement. */
export async function send(port: number, { body, headers, method, path }: HttpMessage): Promise<Answer> {
  const init = method === 'POST' ? { method, headers, body } : { method, headers };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}
