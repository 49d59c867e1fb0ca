import { join } from 'node:path';

/** Where everything lies in PATCHBAY_HOME. */
export type Home = {
  readonly root: string;
  readonly keys: string;
  readonly logs: string;
  readonly run: string;
  readonly postgres: string;
  readonly bootstrapFile: string;
};

export function homeAt(root: string): Home {
  return {
    root,
    keys: join(root, 'keys'),
    logs: join(root, 'logs'),
    run: join(root, 'run'),
    postgres: join(root, 'postgres'),
    bootstrapFile: join(root, 'bootstrap.json'),
  };
}
