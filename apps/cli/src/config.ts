import { resolve } from 'node:path';
import { ENV } from '@patchbay/contracts/environment';
import { ConfigError, exitsWithParent, optional, port, readEnv, text } from '@patchbay/telemetry/config';

/** The listeners that people and their clients reach, all on 127.0.0.1. */
export type PublicPorts = { readonly api: number; readonly gateway: number; readonly admin: number };

/** The supervisor's settings, and the environment it picks each program's own from. */
export type Config = {
  /** Absolute. */
  readonly home: string;
  readonly publicPorts: PublicPorts;
  /** Absolute; null: in the home, with the other keys. */
  readonly masterKeyFile: string | null;
  readonly exitWithParent: boolean;
  readonly given: Readonly<Record<string, string | undefined>>;
};

export const PUBLIC_PORT_VARIABLES = { api: ENV.apiPort, gateway: ENV.gatewayPort, admin: ENV.adminPort } as const;

/** Settings of listeners that somebody else's machine reaches. */
const LISTENING = [ENV.listen, ENV.internalListen, ENV.adminListen, ENV.tlsCertFile, ENV.tlsKeyFile, ENV.trustedProxies];

/** Throws a ConfigError that names the variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const { home, masterKeyFile, ...publicPorts } = readEnv(
    {
      home: text(ENV.home, '.patchbay'),
      masterKeyFile: optional(text(ENV.masterKeyFile)),
      api: port(ENV.apiPort, 8470),
      gateway: port(ENV.gatewayPort, 8471),
      admin: port(ENV.adminPort, 8472),
    },
    env,
  );
  for (const name of LISTENING)
    if ((env[name] ?? '') !== '')
      throw new ConfigError(name, 'is for the separate programs (docs/scaling.md): npm start listens on 127.0.0.1 alone, so leave it out');
  const { api, gateway, admin } = publicPorts;
  if (api === gateway) throw new ConfigError(ENV.gatewayPort, `is ${gateway}, as is ${ENV.apiPort}: give each listener its own port`);
  if (admin === api || admin === gateway)
    throw new ConfigError(ENV.adminPort, `is ${admin}, as is another port of ours: give each listener its own port`);
  return Object.freeze({
    home: resolve(home),
    publicPorts,
    masterKeyFile: masterKeyFile === null ? null : resolve(masterKeyFile),
    exitWithParent: exitsWithParent(env),
    given: { ...env },
  });
}
