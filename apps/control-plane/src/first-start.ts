import 'reflect-metadata';
import { writeSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.ts';
import { compose } from './compose.ts';
import { readConfig, readExamples } from './config/config.ts';
import { DiscoveryQueue } from './modules/discovery/index.ts';
import { FirstStart } from './modules/first-start/index.ts';
import { Publisher } from './modules/snapshot/index.ts';

/** One-shot: makes what a new installation lacks and prints a FirstStartResult, the only time its secrets are shown. */
async function main(): Promise<void> {
  const composed = await compose(readConfig());
  try {
    const app = await NestFactory.createApplicationContext(AppModule.of(composed), { logger: false, abortOnError: false });
    const result = await app.get(FirstStart).run(readExamples());
    await app.get(Publisher).stop();
    await app.get(DiscoveryQueue).stop();
    await app.close();
    writeSync(process.stdout.fd, `${JSON.stringify(result)}\n`);
  } finally {
    await composed.close();
  }
}

try {
  await main();
} catch (error) {
  writeSync(process.stderr.fd, `The first start failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof Error && error.name === 'ConfigError' ? 78 : 1;
}
