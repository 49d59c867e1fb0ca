import type { Group } from './row.ts';

/** Rows whose subject is not there yet: said, so that nobody takes them for measured. */
export const NOT_MEASURED: Group = {
  rows: [
    {
      name: 'cores',
      work: 'several cores: `PATCHBAY_GATEWAY_WORKERS`',
      budget: { text: '≥ 0.9 × linear', at: 0.9, is: 'at least' },
    },
    {
      name: 'change',
      work: 'change → enforced, 3 pods, 50,000-tool organisation, p99',
      budget: { text: '≤ 250 ms', at: 250, is: 'at most' },
    },
  ],
  async measure(_cast, wanted) {
    const why: Readonly<Record<string, string>> = {
      cores: 'not measured: it wants a machine where the load and the upstream have cores of their own',
      change: 'not measured by the benchmark; apps/gateway/test/state.redis-server.itest.ts holds it for a small organisation',
    };
    return Object.entries(why)
      .filter(([row]) => wanted.has(row))
      .map(([row, text]) => ({ row, figure: null, text }));
  },
};
