import { join } from 'node:path';
import { controlPlaneEnvironment, gatewayEnvironment, stdioHostEnvironment, urlsOf, type Layout } from './environments.ts';
import { ask } from './http-json.ts';
import { INSTALLATION } from './installation.ts';
import { SupervisedProgram, type ProgramDeps } from './supervised-program.ts';

export type Programs = {
  readonly controlPlane: SupervisedProgram;
  readonly gateway: SupervisedProgram;
  readonly stdioHost: SupervisedProgram;
};

const PROBE_TIMEOUT_MS = 2_000;
/** Garbage is collected sooner: 22 MB less for the control plane, 4 MB for the stdio host. The gateway allocates on every call and keeps its room. */
const SMALL = ['--max-semi-space-size=2'];

/** The three programs that run all the time, not started yet. */
export function describePrograms(layout: Layout, deps: ProgramDeps): Programs {
  const urls = urlsOf(layout);
  const log = (name: string): string => join(layout.home.logs, `${name}.log`);
  const answers = (url: string) => async (): Promise<boolean> => (await ask(url, { timeoutMs: PROBE_TIMEOUT_MS })).status === 200;
  return {
    controlPlane: new SupervisedProgram(
      {
        name: 'control plane',
        script: INSTALLATION.programs.controlPlane,
        environment: controlPlaneEnvironment(layout),
        nodeFlags: SMALL,
        logFile: log('control-plane'),
        isReady: answers(`${urls.internal}/readyz`),
      },
      deps,
    ),
    gateway: new SupervisedProgram(
      {
        name: 'gateway',
        script: INSTALLATION.programs.gateway,
        environment: gatewayEnvironment(layout),
        nodeFlags: [],
        logFile: log('gateway'),
        isReady: answers(`${urls.admin}/readyz`),
      },
      deps,
    ),
    stdioHost: new SupervisedProgram(
      {
        name: 'stdio host',
        script: INSTALLATION.programs.stdioHost,
        environment: stdioHostEnvironment(layout),
        nodeFlags: SMALL,
        logFile: log('stdio-host'),
        isReady: answers(`${urls.stdioHost}/livez`),
      },
      deps,
    ),
  };
}
