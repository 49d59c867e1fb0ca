/** What is read of a server's message: deeper than anything a server means; the work is bounded by the bytes that are held. */
export const SCAN = { depthMax: 512, elementsMax: 4_000_000 };
