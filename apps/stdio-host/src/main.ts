import { VERSION } from '@patchbay/contracts';
import { createLogger, createProgramMetrics, runProgram } from '@patchbay/telemetry';
import { startTracer } from '@patchbay/telemetry/tracing';
import { equalSecrets } from '@patchbay/tokens';
import { startStdioHost } from './compose.ts';
import { limitsOf, readConfig } from './config.ts';
import { createControlPlane } from './control-plane.ts';

/** Longer than servers may take to end once they were told to. */
const CLOSE_MS = 6_000;

runProgram({
  name: 'stdio-host',
  start: async () => {
    const config = readConfig();
    const logger = createLogger({ program: 'stdio-host', level: config.logLevel });
    const controlPlane = createControlPlane(config.controlPlaneUrls, { bearer: config.ownSecret, ca: config.internalCa });
    await controlPlane.greet();
    const tracing = await startTracer({ enabled: config.otlpEndpoint !== null, serviceName: 'patchbay-stdio-host' });
    const host = await startStdioHost(
      { ...config, limits: limitsOf(config), version: VERSION },
      {
        log: logger,
        ask: controlPlane.ask,
        knows: (secret) => equalSecrets(secret, config.callersSecret.reveal()),
        clock: { nowMs: () => Date.now() },
        metrics: createProgramMetrics({ program: 'stdio-host', version: VERSION }),
        tracer: tracing?.tracer ?? null,
      },
    );
    logger.info({ port: host.port }, 'listening');
    return {
      logger,
      stopDeadlineMs: config.drainMs + CLOSE_MS,
      stop: async () => {
        await host.close();
        await controlPlane.close();
        await tracing?.stop();
      },
    };
  },
});
