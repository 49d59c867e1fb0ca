/** What a server is told at once instead of an answer. */
export type Refused = { readonly code: number; readonly message: string };

/** What a server is told whose client cannot be asked. */
export const TAKES_NO_REQUESTS: Refused = { code: -32601, message: 'This client takes no requests.' };
