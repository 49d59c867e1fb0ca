import type { FastifyReply } from 'fastify';

const NAME = 'patchbay_session';

/** The session's secret as the browser sent it; null when it sent none. */
export function readSessionCookie(header: string | undefined): string | null {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === NAME) return pair.slice(at + 1).trim();
  }
  return null;
}

/** Hands the secret to the browser alone: no script reads it, no other site sends it. An empty secret removes the cookie. */
export function writeSessionCookie(
  reply: FastifyReply,
  secret: string,
  { maxAgeSeconds, secure }: { maxAgeSeconds: number; secure: boolean },
): void {
  reply.header('set-cookie', `${NAME}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${secure ? '; Secure' : ''}`);
}
