import { randomBytes } from 'node:crypto';
import type { NextId } from './bridge/make-bridge.ts';

/** Request ids and progress tokens for upstream sessions that several pods share: a random prefix a pod, then a count. */
export function makeNextId(): NextId {
  const prefix = `pb-${randomBytes(6).toString('base64url')}-`;
  let count = 0;
  return () => {
    count += 1;
    return prefix + count.toString(36);
  };
}
