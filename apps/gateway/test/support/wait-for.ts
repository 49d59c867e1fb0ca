/** Looks until something is there, for five seconds. */
export async function waitFor<T>(look: () => T | undefined): Promise<T> {
  for (const deadline = Date.now() + 5_000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    const found = look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come');
  }
}
