import { describeCountersContract } from '../../../packages/ports/dist/contract/counters-contract.js';
import { CounterStore } from './counter-store.ts';

// What is simulated is held to what real stores are held to, by real time.
describeCountersContract('the simulation', async () => {
  const store = new CounterStore(() => Date.now());
  const port = store.portOver(async (work) => work());
  return { writer: port, reader: port };
});
