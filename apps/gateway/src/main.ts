import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { Listener } from '@patchbay/listening';
import { checkRedis } from '@patchbay/ports';
import { createLogger, drainServer, runProgram } from '@patchbay/telemetry';
import { compose } from './compose.ts';
import { loadConfig, loadWorkersConfig, stopDeadlineOf } from './config.ts';
import { startWorkers } from './workers.ts';

runProgram({
  name: 'gateway',
  async start() {
    const workers = cluster.isPrimary ? loadWorkersConfig() : null;
    if (workers !== null) return startWorkers(workers, createLogger({ program: 'gateway', level: 'info' }));
    const config = loadConfig();
    const logger = createLogger({ program: 'gateway', level: config.logLevel });
    const redisUrl = config.redisUrl?.reveal();
    if (redisUrl !== undefined && (await checkRedis(redisUrl, 'gateway')) === 'away')
      logger.warn({}, 'Redis is away: configuration comes from the disk or a control plane until it is back');
    const gateway = await compose(config, logger);
    await gateway.handshake.greet();
    await listen(gateway.admin, config.adminPort, config.listeners.private);
    await gateway.start();
    await listen(gateway.calls, config.gatewayPort, config.listeners.public);
    logger.info({ podId: gateway.podId, gatewayPort: config.gatewayPort, adminPort: config.adminPort }, 'listening');
    return {
      logger,
      stopDeadlineMs: stopDeadlineOf(config),
      async stop() {
        // Not ready from here on, and no new connection once whoever balances has seen it.
        gateway.state.drain();
        await drainServer(gateway.calls, {
          limitMs: config.drainMs,
          announceMs: config.drainAnnounceMs,
          onClosing: gateway.endStreams,
          onCutting: gateway.endWaiting,
        });
        await gateway.close();
        gateway.admin.close();
        gateway.admin.closeAllConnections();
      },
    };
  },
});

function listen(server: Server, port: number, { address }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
