import { createHash, createHmac, randomBytes as secureRandomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { TokenHash, TokenId } from '@patchbay/contracts';
import { base62Length, decodeBase62, encodeBase62 } from './base62.ts';

/** pbpat: a user's personal access token, for MCP. pbapi: the API, never MCP. pbvat: a virtual account's, for MCP. */
export const TOKEN_KINDS = ['pbpat', 'pbapi', 'pbvat'] as const;
export type TokenKind = (typeof TOKEN_KINDS)[number];

/** The fleet's key under which every token carries a tag; 32 random bytes. */
export type TagKey = Buffer | KeyObject;

/** A source of random bytes; only tests hand in one of their own. */
export type RandomBytes = (size: number) => Buffer;

/** What a token's text says of itself. Nothing of it is proven until `verifyTag` has held. */
export type ParsedToken = {
  readonly kind: TokenKind;
  readonly id: TokenId;
  readonly random: Buffer;
  readonly tag: Buffer;
};

const ID_BYTES = 16;
const RANDOM_BYTES = 32;
const TAG_BYTES = 16;
const BODY_BYTES = ID_BYTES + RANDOM_BYTES + TAG_BYTES;
const CHECKSUM_BYTES = 4;
const BODY_LENGTH = base62Length(BODY_BYTES);
const TOKEN_LENGTH = 'pbpat_'.length + BODY_LENGTH + base62Length(CHECKSUM_BYTES);
const HINT_LENGTH = 4;

/** A new bearer token for a row with this id. The text is shown once; only `hashToken` of it may be kept. */
export function mintToken(kind: TokenKind, id: TokenId, tagKey: TagKey, randomBytes: RandomBytes = secureRandomBytes): string {
  const idBytes = Buffer.from(id.replaceAll('-', ''), 'hex');
  if (idBytes.length !== ID_BYTES) throw new RangeError('a token id is a UUID');
  const random = randomBytes(RANDOM_BYTES);
  if (random.length !== RANDOM_BYTES) throw new RangeError(`a token takes ${RANDOM_BYTES} random bytes`);
  const body = Buffer.concat([idBytes, random, tagOf(kind, Buffer.concat([idBytes, random]), tagKey)]);
  const text = `${kind}_${encodeBase62(body)}`;
  return text + checksumOf(text);
}

/** Reads a token by shape and checksum alone, which catches typing mistakes and other people's tokens; null when it is none. */
export function parseToken(text: string): ParsedToken | null {
  if (text.length !== TOKEN_LENGTH) return null;
  const kind = TOKEN_KINDS.find((candidate) => text.startsWith(`${candidate}_`));
  if (kind === undefined) return null;
  const bodyEnd = kind.length + 1 + BODY_LENGTH;
  if (text.slice(bodyEnd) !== checksumOf(text.slice(0, bodyEnd))) return null;
  const body = decodeBase62(text.slice(kind.length + 1, bodyEnd), BODY_BYTES);
  if (body === null) return null;
  return {
    kind,
    id: uuidOf(body.subarray(0, ID_BYTES)),
    random: body.subarray(ID_BYTES, ID_BYTES + RANDOM_BYTES),
    tag: body.subarray(ID_BYTES + RANDOM_BYTES),
  };
}

/** Whether this fleet minted the token: an invented one is refused without a lookup. Takes the same time whatever the tag. */
export function verifyTag({ kind, id, random, tag }: ParsedToken, tagKey: TagKey): boolean {
  const idBytes = Buffer.from(id.replaceAll('-', ''), 'hex');
  return timingSafeEqual(tag, tagOf(kind, Buffer.concat([idBytes, random]), tagKey));
}

/** The only form in which a token is stored or looked up. */
export function hashToken(text: string): TokenHash {
  return createHash('sha256').update(text).digest('hex') as TokenHash;
}

/** What a list may show, so that its owner recognises a token: kind and last characters, which belong to the checksum. */
export function tokenHint(text: string): string {
  return `${text.slice(0, text.indexOf('_') + 1)}…${text.slice(-HINT_LENGTH)}`;
}

function tagOf(kind: TokenKind, idAndRandom: Buffer, tagKey: TagKey): Buffer {
  return createHmac('sha256', tagKey).update(`${kind}\0`).update(idAndRandom).digest().subarray(0, TAG_BYTES);
}

function checksumOf(text: string): string {
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32BE(crc32(text));
  return encodeBase62(bytes);
}

function uuidOf(bytes: Buffer): TokenId {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as TokenId;
}
