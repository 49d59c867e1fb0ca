import { z } from 'zod';
import { type Missing, missingChecks } from '../compare.ts';
import { totals } from '../outcomes.ts';
import type { ClientScenario } from '../suite.ts';
import type { Observed } from './run-client-side.ts';
import type { ClientEra } from './use-everything.ts';

export const CLIENT_ERAS = ['legacy', 'modern'] as const satisfies readonly ClientEra[];

/** What is known to be missing, as of the suite's scenarios for servers. A check is "revision scenario:name". */
export const ClientExceptions = z.array(
  z.strictObject({ clients: z.array(z.enum(CLIENT_ERAS)).min(1), reason: z.string().min(10), checks: z.array(z.string()).min(1) }),
);
export type ClientExceptions = z.infer<typeof ClientExceptions>;

/** One scenario with the gateway as the suite's client, and before it a client of one era. */
export type ClientComparison = {
  readonly scenario: ClientScenario;
  readonly client: ClientEra;
  /** Checks that passed with the official client alone, and with the gateway. */
  readonly direct: number;
  readonly through: number;
  readonly missing: readonly Missing[];
  readonly breaches: readonly string[];
};

export type ClientRuns = Pick<ClientComparison, 'scenario' | 'client'> & { readonly direct: Observed; readonly through: Observed };

/** Holds it to: what the official client passes alone it passes with the gateway in between, unless it is listed, and what is listed does not. */
export function compareClients({ client, direct, scenario, through }: ClientRuns, exceptions: ClientExceptions): ClientComparison {
  const prefix = `${scenario.revision} ${scenario.name}:`;
  const own = exceptions.filter((each) => each.clients.includes(client));
  const listed = own.flatMap(({ checks, reason }) =>
    checks.filter((check) => check.startsWith(prefix)).map((check) => [check, reason] as const),
  );
  const reasons = new Map(listed);
  const missing = new Map(
    [...missingChecks(direct.outcomes, through.outcomes)].map(([check, how]) => [`${scenario.revision} ${check}`, how]),
  );
  return {
    scenario,
    client,
    direct: totals(direct.outcomes).checks,
    through: totals(through.outcomes).checks,
    missing: [...missing.keys()].map((check) => ({ check, reason: reasons.get(check) ?? null })),
    breaches: [
      ...[direct, through].flatMap(({ failure }) => (failure === null ? [] : [`${scenario.revision} ${scenario.name}: ${failure}`])),
      ...[...missing].filter(([check]) => !reasons.has(check)).map(([check, how]) => `${check} passes direct and not through: ${how}`),
      ...[...reasons.keys()].filter((check) => !missing.has(check)).map((check) => `${check} is listed as missing, and is not`),
    ].map((breach) => `gateway as the client, ${client} before it: ${breach}`),
  };
}
