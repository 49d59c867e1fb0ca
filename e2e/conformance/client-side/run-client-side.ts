import { join } from 'node:path';
import { listen } from '@patchbay/testkit';
import type { RunningForm } from '../forms.ts';
import type { Check, Outcomes } from '../outcomes.ts';
import { type ClientCheck, type ClientScenario, runClientScenario } from '../suite.ts';
import { type ClientEra, type Use, useEverything } from './use-everything.ts';

type Announced = Pick<Use, 'url' | 'context'>;
/** `failure`: why the client could not even begin to use what is there; null: it could. */
export type Observed = { readonly outcomes: Outcomes; readonly failure: string | null };

const COMMAND = join(import.meta.dirname, 'announce-url.mjs');

/** What the suite's server sees of the official client alone, which speaks the scenario's revision. */
export function observeDirect(scenario: ClientScenario): Promise<Observed> {
  const era = scenario.revision === '2026-07-28' ? 'modern' : 'legacy';
  return observe(scenario, (announced) => useEverything({ ...announced, era }));
}

/** What it sees of the gateway, before which the official client stands and speaks either era. */
export function observeThrough(scenario: ClientScenario, era: ClientEra, form: RunningForm): Promise<Observed> {
  const slug = `${scenario.name.replaceAll(/[^a-z0-9]+/g, '-').slice(0, 18)}-${scenario.revision.slice(0, 4)}-${era}`;
  return observe(scenario, async ({ context, url }) => useEverything({ url: await form.register(slug, url), context, era }));
}

/** The suite starts a command and tells it where its server is; what is to be done there is done by us. */
async function observe(scenario: ClientScenario, act: (announced: Announced) => Promise<void>): Promise<Observed> {
  let failure: string | null = null;
  const control = await listen((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      act(JSON.parse(Buffer.concat(chunks).toString()) as Announced).then(
        () => response.end('done'),
        (error: unknown) => {
          failure = String(error);
          response.writeHead(500).end(failure);
        },
      );
    });
  });
  try {
    const checks = await runClientScenario(scenario, `${process.execPath} ${COMMAND} ${control.url}`);
    return { outcomes: new Map([[scenario.name, checks.map(byName)]]), failure };
  } finally {
    await control.close();
  }
}

function byName({ id, name = id, ...check }: ClientCheck): Check {
  return { ...check, id: name };
}
