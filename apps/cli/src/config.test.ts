import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('without any setting it is the folder .patchbay and ports 8470 to 8472', () => {
  expect(readConfig({})).toMatchObject({
    home: join(process.cwd(), '.patchbay'),
    publicPorts: { api: 8470, gateway: 8471, admin: 8472 },
    masterKeyFile: null,
  });
});

test('a bad port is named by its variable', () => {
  expect(() => readConfig({ PATCHBAY_GATEWAY_PORT: '84710' })).toThrow('PATCHBAY_GATEWAY_PORT');
  expect(() => readConfig({ PATCHBAY_API_PORT: 'http' })).toThrow('PATCHBAY_API_PORT');
});

test.each(['PATCHBAY_LISTEN', 'PATCHBAY_ADMIN_LISTEN', 'PATCHBAY_TLS_CERT_FILE', 'PATCHBAY_TRUSTED_PROXIES'])(
  '%s is not silently left aside: npm start listens on loopback alone',
  (variable) => {
    expect(() => readConfig({ [variable]: '0.0.0.0' })).toThrow(new RegExp(`^${variable} is for the separate programs`));
  },
);

test('two listeners on one port are refused, naming a variable to change', () => {
  expect(() => readConfig({ PATCHBAY_GATEWAY_PORT: '8470' })).toThrow('PATCHBAY_GATEWAY_PORT');
  expect(() => readConfig({ PATCHBAY_ADMIN_PORT: '8471' })).toThrow('PATCHBAY_ADMIN_PORT');
});
