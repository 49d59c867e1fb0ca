import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, both in PEM. */
export type IssuedCertificate = { readonly cert: string; readonly key: string };

export type Issuing = {
  /** Names and IPv4 addresses that the certificate is for. */
  readonly names: readonly string[];
  /** A day ago when left away. */
  readonly notBefore?: Date;
  /** In a day when left away. */
  readonly notAfter?: Date;
};

/** A certificate authority of a test's own: `cert` is what has to be trusted. */
export type TestAuthority = { readonly cert: string; issue(issuing: Issuing): IssuedCertificate };

const DAY_MS = 86_400_000;
const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, bytes: 0x04, oid: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31, time: 0x17 };
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
};
const TRUE = Buffer.from([0xff]);

/** Makes one. Nothing of Node issues certificates, so their DER is written here: the few fields that TLS looks at. */
export function makeAuthority(name = 'Patchbay test authority'): TestAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name, key: privateKey };
  const isAuthority = extension(OID.basicConstraints, der(TAG.sequence, der(TAG.boolean, TRUE)));
  return {
    cert: certificate({ subject: name, publicKey, extensions: [isAuthority], ...validity({}) }, issuer),
    issue({ names, ...times }) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const extensions = [extension(OID.subjectAltName, der(TAG.sequence, ...names.map(alternative)))];
      const facts = { subject: names[0] ?? 'nobody', publicKey: own.publicKey, extensions, ...validity(times) };
      return { cert: certificate(facts, issuer), key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

type Facts = {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly notBefore: Date;
  readonly notAfter: Date;
};

function validity({ notBefore, notAfter }: Pick<Issuing, 'notBefore' | 'notAfter'>): Pick<Facts, 'notBefore' | 'notAfter'> {
  return { notBefore: notBefore ?? new Date(Date.now() - DAY_MS), notAfter: notAfter ?? new Date(Date.now() + DAY_MS) };
}

/** RFC 5280 §4.1, signed with ECDSA and SHA-256. */
function certificate({ subject, publicKey, extensions, notBefore, notAfter }: Facts, issuer: { name: string; key: KeyObject }): string {
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const body = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    named(issuer.name),
    der(TAG.sequence, time(notBefore), time(notAfter)),
    named(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(TAG.sequence, ...extensions)),
  );
  const whole = der(TAG.sequence, body, algorithm, der(TAG.bits, Buffer.from([0]), sign('sha256', body, issuer.key)));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const oid = (hex: string): Buffer => der(TAG.oid, Buffer.from(hex, 'hex'));

const extension = (id: string, value: Buffer): Buffer => der(TAG.sequence, oid(id), der(TAG.bytes, value));

const named = (name: string): Buffer =>
  der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid(OID.commonName), der(TAG.utf8, Buffer.from(name)))));

/** `YYMMDDHHMMSSZ`. */
const time = (date: Date): Buffer => der(TAG.time, Buffer.from(`${date.toISOString().slice(2, 19).replaceAll(/[-T:]/g, '')}Z`));

function alternative(name: string): Buffer {
  return isIP(name) === 4 ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));
}
