import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAddress, PRIVATE_RANGES, type AddressPolicy } from './address-policy.ts';

const strict: AddressPolicy = { refused: [], openings: [] };
const everything: AddressPolicy = {
  refused: [],
  openings: [
    { cidr: '0.0.0.0/0', port: null },
    { cidr: '::/0', port: null },
  ],
};

const NEVER = [
  '0.0.0.0',
  '0.1.2.3',
  '169.254.169.254',
  '169.254.0.1',
  '100.100.100.200',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '::',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'ff02::1',
  'fd00:ec2::254',
];
const PRIVATE = [
  '127.0.0.1',
  '127.255.0.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '100.127.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '240.0.0.1',
  '::1',
  'fc00::1',
  'fd12:3456::1',
  'fec0::1',
  '2001:db8::1',
  '100::1',
  '3fff::1',
  '4000::1',
  '2001:10::1',
];
const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '172.15.0.1',
  '172.32.0.1',
  '100.63.0.1',
  '100.128.0.1',
  '169.253.0.1',
  '198.17.0.1',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450::1',
];
const MALFORMED = [
  '',
  'localhost',
  '127.1',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '2130706433',
  '1.1.1.1.',
  ' 1.1.1.1',
  '1.1.1.256',
  '[1.1.1.1',
  '::g',
  '1.1.1.1/32',
];

test.each(NEVER)('%s is refused whatever is opened', (ip) => expect(checkAddress(ip, 443, everything)).toBe('refused'));
test.each(PRIVATE)('%s is refused until it is opened', (ip) => {
  expect(checkAddress(ip, 443, strict)).toBe('refused');
  expect(checkAddress(ip, 443, everything)).toBe('ok');
});
test.each(PUBLIC)('%s is the public internet', (ip) => expect(checkAddress(ip, 443, strict)).toBe('ok'));
test.each(MALFORMED)('%j is no address and is refused', (ip) => expect(checkAddress(ip, 443, everything)).toBe('refused'));

const hex = (bytes: number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
const pair = (bytes: number[]): string => `${hex(bytes.slice(0, 2))}:${hex(bytes.slice(2))}`;
const FORMS: Record<string, (bytes: number[]) => string> = {
  'IPv4-mapped': (bytes) => `::ffff:${bytes.join('.')}`,
  'IPv4-mapped in hex': (bytes) => `::ffff:${pair(bytes)}`,
  'IPv4-translated': (bytes) => `::ffff:0:${pair(bytes)}`,
  NAT64: (bytes) => `64:ff9b::${pair(bytes)}`,
  'local-use NAT64': (bytes) => `64:ff9b:1::${pair(bytes)}`,
  '6to4': (bytes) => `2002:${pair(bytes)}::1`,
  'Teredo client': (bytes) => `2001:0:808:808:0:0:${pair(bytes.map((byte) => byte ^ 255))}`,
  'Teredo server': (bytes) => `2001:0:${pair(bytes)}:0:0:${pair([247, 247, 247, 247])}`,
};

describe.each(Object.entries(FORMS))('%s', (_name, write) => {
  test('is judged as the address inside', () => {
    fc.assert(
      fc.property(fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)), (bytes) => {
        const inner = bytes.join('.');
        expect(checkAddress(write(bytes), 80, strict)).toBe(checkAddress(inner, 80, strict));
        expect(checkAddress(write(bytes), 80, everything)).toBe(checkAddress(inner, 80, everything));
      }),
    );
  });

  test('hides neither loopback nor the metadata service', () => {
    expect(checkAddress(write([127, 0, 0, 1]), 80, strict)).toBe('refused');
    expect(checkAddress(write([169, 254, 169, 254]), 80, everything)).toBe('refused');
  });
});

test('an opening opens its range and port and nothing beside', () => {
  const policy: AddressPolicy = {
    refused: [],
    openings: [
      { cidr: '10.1.0.0/16', port: 8080 },
      { cidr: 'nonsense', port: null },
    ],
  };
  expect(checkAddress('10.1.2.3', 8080, policy)).toBe('ok');
  expect(checkAddress('::ffff:10.1.2.3', 8080, policy)).toBe('ok');
  expect(checkAddress('10.1.2.3', 8081, policy)).toBe('refused');
  expect(checkAddress('10.2.0.1', 8080, policy)).toBe('refused');
});

test('the private ranges open loopback and private addresses, and not the metadata service', () => {
  const policy: AddressPolicy = { refused: [], openings: PRIVATE_RANGES.map((cidr) => ({ cidr, port: null })) };
  for (const ip of ['127.0.0.1', '10.0.0.1', '::1', 'fd00::1', '192.168.0.1']) expect(checkAddress(ip, 80, policy)).toBe('ok');
  for (const ip of ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '198.18.0.1'])
    expect(checkAddress(ip, 80, policy)).toBe('refused');
});

test.each(['127.0.0.1', 'localhost', '::1', '0.0.0.0', '[::]', '::ffff:127.0.0.1'])(
  'our listener at %s is refused under every name of this machine',
  (host) => {
    const policy: AddressPolicy = { refused: [{ host, port: 5432 }], openings: everything.openings };
    for (const ip of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '2002:7f00:1::']) {
      expect(checkAddress(ip, 5432, policy)).toBe('refused');
      expect(checkAddress(ip, 5433, policy)).toBe('ok');
    }
  },
);

test('our listener elsewhere is refused at its address, in every form of it', () => {
  const policy: AddressPolicy = { refused: [{ host: '10.0.0.5', port: 6379 }], openings: everything.openings };
  expect(checkAddress('10.0.0.5', 6379, policy)).toBe('refused');
  expect(checkAddress('64:ff9b::a00:5', 6379, policy)).toBe('refused');
  expect(checkAddress('10.0.0.6', 6379, policy)).toBe('ok');
});
