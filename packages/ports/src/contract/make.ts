/** How a contract suite gets what it tests: two programs on one store, the control plane's side and the gateway's. */
export type Make<Port> = () => Promise<{
  /** May write everything. */
  readonly writer: Port;
  /** A second program, as a gateway pod. */
  readonly reader: Port;
}>;

/** An id that no other test uses. */
export function freshId<Id>(): Id {
  return crypto.randomUUID() as Id;
}
