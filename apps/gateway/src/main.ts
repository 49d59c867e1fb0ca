import type { Server } from 'node:http';
import { createLogger, runProgram } from '@patchbay/telemetry';
import { compose } from './compose.ts';
import { loadConfig } from './config.ts';

/** How long calls in flight may take to end once a stop was asked for. */
const DRAIN_MS = 8_000;

runProgram({
  name: 'gateway',
  async start() {
    const config = loadConfig();
    const logger = createLogger({ program: 'gateway', level: config.logLevel });
    const gateway = await compose(config, logger);
    await listen(gateway.admin, config.adminPort);
    await gateway.state.start();
    await listen(gateway.calls, config.gatewayPort);
    logger.info({ gatewayPort: config.gatewayPort, adminPort: config.adminPort }, 'listening');
    return {
      logger,
      async stop() {
        await drain(gateway.calls);
        await gateway.close();
        gateway.admin.close();
        gateway.admin.closeAllConnections();
      },
    };
  },
});

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Takes no new calls, lets those in flight end, cuts what is left after DRAIN_MS. */
function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
