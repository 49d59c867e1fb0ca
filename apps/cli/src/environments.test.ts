import { ENV } from '@patchbay/contracts/environment';
import { expect, test } from 'vitest';
import {
  bareEnvironment,
  controlPlaneEnvironment,
  firstStartEnvironment,
  gatewayEnvironment,
  type Layout,
  migrateEnvironment,
  stdioHostEnvironment,
} from './environments.ts';
import { homeAt } from './home.ts';

const layout: Layout = {
  home: homeAt('/data'),
  ports: { api: 1, gateway: 2, admin: 3, internal: 4, stdioHost: 5, postgres: 6 },
  masterKeyFile: null,
  given: {
    PATH: '/bin',
    HOME: '/home/ada',
    AWS_SECRET_ACCESS_KEY: 'secret',
    NODE_OPTIONS: '--inspect',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel',
    [ENV.stdio]: 'off',
    [ENV.bodyLimitBytes]: '2048',
    [ENV.stdioIdleMs]: '5000',
    [ENV.logLevel]: 'debug',
  },
};
const examples = { everything: '/e.js', memory: '/m.js' };
const programs = {
  migrate: migrateEnvironment(layout),
  controlPlane: controlPlaneEnvironment(layout),
  firstStart: firstStartEnvironment(layout, examples),
  gateway: gatewayEnvironment(layout),
  stdioHost: stdioHostEnvironment(layout),
};

test('no program gets what the user has in the environment for others', () => {
  for (const environment of [...Object.values(programs), bareEnvironment(layout)]) {
    expect(environment).not.toHaveProperty('AWS_SECRET_ACCESS_KEY');
    expect(environment).not.toHaveProperty('NODE_OPTIONS');
  }
});

test('each key file is named to the programs that need it and to no other', () => {
  const holders = (variable: string): string[] =>
    Object.entries(programs)
      .filter(([, env]) => variable in env)
      .map(([name]) => name);
  expect(holders(ENV.ownerDatabaseUrlFile)).toEqual(['migrate']);
  expect(holders(ENV.masterKeyFile)).toEqual(['controlPlane', 'firstStart']);
  expect(holders(ENV.snapshotSigningKeyFile)).toEqual(['controlPlane', 'firstStart']);
  expect(holders(ENV.databaseUrlFile)).toEqual(['controlPlane', 'firstStart']);
  expect(holders(ENV.portsDatabaseUrlFile)).toEqual(['gateway']);
  expect(holders(ENV.sessionSealingKeyFile)).toEqual(['gateway']);
  expect(holders(ENV.tokenTagKeyFile)).toEqual(['controlPlane', 'firstStart', 'gateway']);
  expect(holders(ENV.gatewaySecretFile)).toEqual(['controlPlane', 'firstStart', 'gateway']);
  expect(holders(ENV.stdioHostSecretFile)).toEqual(['controlPlane', 'firstStart', 'stdioHost']);
  expect(holders(ENV.toStdioHostSecretFile)).toEqual(['controlPlane', 'firstStart', 'gateway', 'stdioHost']);
});

test('settings reach the program that reads them', () => {
  expect(programs.controlPlane[ENV.stdio]).toBe('off');
  expect(programs.gateway[ENV.bodyLimitBytes]).toBe('2048');
  for (const traced of [programs.controlPlane, programs.gateway, programs.stdioHost])
    expect(traced['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe('http://otel');
  expect(programs.stdioHost[ENV.stdioIdleMs]).toBe('5000');
  for (const environment of Object.values(programs)) expect(environment[ENV.logLevel]).toBe('debug');
});

test('every listener of ours and Postgres is refused as an upstream', () => {
  const all = [1, 2, 3, 4, 5, 6].map((port) => `127.0.0.1:${port}`);
  expect(programs.gateway[ENV.refusedAddresses]?.split(',').sort()).toEqual(all);
  expect(programs.controlPlane[ENV.refusedAddresses]?.split(',').sort()).toEqual(all);
  expect(programs.stdioHost[ENV.refusedAddresses]?.split(',').sort()).toEqual(all);
});

test('so is the listener of each worker of the gateway', () => {
  const ports = { api: 1, gateway: 2, admin: 10, internal: 4, stdioHost: 5, postgres: 6 };
  const several = gatewayEnvironment({ ...layout, ports, given: { ...layout.given, [ENV.gatewayWorkers]: '3' } });
  expect(several[ENV.gatewayWorkers]).toBe('3');
  expect(several[ENV.refusedAddresses]?.split(',')).toEqual(expect.arrayContaining(['127.0.0.1:10', '127.0.0.1:11', '127.0.0.1:12']));
});

test('a master key kept elsewhere is the one that is named', () => {
  expect(controlPlaneEnvironment({ ...layout, masterKeyFile: '/mnt/key' })[ENV.masterKeyFile]).toBe('/mnt/key');
  expect(programs.controlPlane[ENV.masterKeyFile]).toBe('/data/keys/master.key');
});
