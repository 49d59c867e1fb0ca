import { readFileSync } from 'node:fs';
import { processesOf } from './processes.ts';

/** One metric as a program exports it. `labels` of the series it had; null while it has none. */
export type Exported = { readonly type: string; readonly help: string; readonly labels: readonly string[] | null };

/** Every metric in a text of /metrics, by name. */
export function parseMetrics(text: string): Map<string, Exported> {
  const found = new Map<string, { type: string; help: string; labels: string[] | null }>();
  let current: { type: string; help: string; labels: string[] | null } | undefined;
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') found.set(name, (current = { type: '', help: rest, labels: null }));
    else if (kind === 'TYPE' && current !== undefined) current.type = rest;
    else if (line !== '' && current !== undefined) {
      const labels = [...(/\{(.*)\}/.exec(line)?.[1] ?? '').matchAll(/(\w+)="/g)]
        .map(([, label = '']) => label)
        .filter((label) => label !== 'le');
      current.labels ??= labels;
    }
  }
  return found;
}

/** What a listener of the platform's own answers on /metrics, found by the port its process was given. */
export async function scrape(home: string, program: string, portVariable: string): Promise<string> {
  const found = processesOf(home).find(({ command }) => command.includes(`apps/${program}/dist/main.js`));
  if (found === undefined) throw new Error(`no ${program} runs`);
  const port = new RegExp(`(?:^|\\0)${portVariable}=(\\d+)`).exec(readFileSync(`/proc/${found.pid}/environ`, 'utf8'))?.[1];
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (!answer.ok) throw new Error(`${program} answers ${answer.status}`);
  return answer.text();
}
