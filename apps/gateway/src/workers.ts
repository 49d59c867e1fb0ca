import cluster, { type Worker } from 'node:cluster';
import type { Logger, Running } from '@patchbay/telemetry';
import type { WorkersConfig } from './config.ts';

/** How long a worker that died is left away. */
const AGAIN_AFTER_MS = 1_000;

/**
 * Runs gateways that share one port, each a pod in every respect: connections go round among them. One that dies is started again; one
 * that cannot start ends them all, with its own status. Resolves when all of them take calls.
 */
export async function startWorkers({ environments, gatewayPort, stopDeadlineMs }: WorkersConfig, logger: Logger): Promise<Running> {
  const running = new Map<number, Worker>();
  let isStopping = false;

  function start(index: number): Promise<void> {
    const worker = cluster.fork(environments[index]);
    running.set(index, worker);
    return new Promise((resolve) => {
      let isServing = false;
      worker.on('listening', (address) => {
        isServing ||= address.port === gatewayPort;
        if (isServing) resolve();
      });
      worker.once('exit', (code, signal) => {
        running.delete(index);
        if (isStopping) return;
        // It has said itself why.
        if (!isServing) process.exit(code || 1);
        logger.error({ worker: index + 1, code, signal }, 'a worker ended; it is started again');
        setTimeout(() => isStopping || void start(index), AGAIN_AFTER_MS);
      });
    });
  }

  await Promise.all(environments.map((_, index) => start(index)));
  logger.info({ workers: environments.length, gatewayPort }, 'listening');
  return {
    logger,
    stopDeadlineMs,
    async stop() {
      isStopping = true;
      await Promise.all([...running.values()].map(ended));
    },
  };
}

function ended(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code ?? signal}`))));
    worker.process.kill('SIGTERM');
  });
}
