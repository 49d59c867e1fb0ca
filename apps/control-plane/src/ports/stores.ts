import type { Bus, Directory, Parts } from '@patchbay/ports';

/** Where pods read: the ports, as the control plane writes them. */
export class Stores {
  constructor(
    readonly bus: Bus,
    readonly parts: Parts,
    readonly directory: Directory,
  ) {}
}
