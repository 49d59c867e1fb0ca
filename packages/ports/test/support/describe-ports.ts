import { describeBusContract } from '../../src/contract/bus-contract.ts';
import { describeCountersContract } from '../../src/contract/counters-contract.ts';
import { describeDirectoryContract } from '../../src/contract/directory-contract.ts';
import { describePartsContract } from '../../src/contract/parts-contract.ts';
import { describeSharedStoreContract } from '../../src/contract/shared-store-contract.ts';
import type { Ports } from '../../src/index.ts';

type Sides = {
  /** As the control plane. */
  writer(): Ports;
  /** As a gateway. */
  reader(): Ports;
  /** Cuts every connection of listeners, as a restart of the store would. */
  cutListeners(): Promise<void>;
};

/** Every port's contract on one implementation. */
export function describePorts(name: string, { writer, reader, cutListeners }: Sides): void {
  describeBusContract(name, async () => ({ writer: writer().bus, reader: reader().bus }), { cutListeners });
  describePartsContract(name, async () => ({ writer: writer().parts, reader: reader().parts }));
  describeDirectoryContract(name, async () => ({ writer: writer().directory, reader: reader().directory }));
  describeSharedStoreContract(name, async () => ({ writer: writer().sharedStore, reader: reader().sharedStore }));
  describeCountersContract(name, async () => ({ writer: writer().counters, reader: reader().counters }));
}
