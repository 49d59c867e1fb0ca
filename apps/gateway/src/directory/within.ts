/**
 * What `work` resolves to, or `otherwise` when it fails or takes longer than `timeoutMs`. Late results are dropped, but for one that only
 * has to be read: a process that stood still runs its timers before it looks at its sockets.
 */
export async function within<T, U>(work: Promise<T>, timeoutMs: number, otherwise: U): Promise<T | U> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<U>((resolve) => {
    timer = setTimeout(() => setImmediate(resolve, otherwise), timeoutMs);
  });
  try {
    return await Promise.race([work.catch(() => otherwise), late]);
  } finally {
    clearTimeout(timer);
  }
}
