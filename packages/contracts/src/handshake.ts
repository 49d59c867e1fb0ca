import { z } from 'zod';
import { ENV, KEY_FILES } from './environment.ts';

/** What our programs speak to each other: the internal API, the bus and parts. Raised by a change that the version before cannot read. */
export const PROTOCOL = { oldest: 1, newest: 1 } as const;

/** The header in which every answer of a control plane's internal listener says its protocol: `oldest-newest`. */
export const PROTOCOL_HEADER = 'patchbay-protocol';

/** Under this purpose the id of the key that marks tokens is derived: it tells keys apart and nothing about them. */
export const TOKEN_TAG_KEY_ID_PURPOSE = 'token tag key id';

export const ProtocolRange = z.object({ oldest: z.number().int(), newest: z.number().int() });
export type ProtocolRange = z.infer<typeof ProtocolRange>;

/** What a control plane says of itself. Of another version than ours it may leave away everything but its protocol. */
export const ControlPlaneVersion = z.object({
  protocol: ProtocolRange,
  /** The `kid` of what it signs. */
  snapshotKeyId: z.string().optional(),
  /** Of the key that marks the tokens which it mints. */
  tokenTagKeyId: z.string().optional(),
  /** Of the program. */
  version: z.string().optional(),
});
export type ControlPlaneVersion = z.infer<typeof ControlPlaneVersion>;

/** One control plane's answer to the question for its version; status null: it did not answer, for its certificate proved nothing where `distrust` says so. */
export type VersionReply = { readonly from: URL; readonly status: number | null; readonly text: string; readonly distrust?: string };

/** What the asking program goes by. */
export type OwnSide = {
  readonly protocol: ProtocolRange;
  /** The variable of the secret that it presents. */
  readonly secretVariable: string;
  /** null: it holds none of these keys. */
  readonly keys: { readonly snapshotKeyIds: readonly string[]; readonly tokenTagKeyId: string } | null;
};

/** Why two programs cannot work together: what to look at, and what differs and is to be done about it, to be read one after the other. */
export type Mismatch = { readonly variable: string; readonly problem: string };

/** What the header holds. */
export function protocolHeader({ oldest, newest }: ProtocolRange): string {
  return `${oldest}-${newest}`;
}

/** Whether an answer with this header can be read here. Without one it is of a version that did not say, and can. */
export function isReadable(header: string | string[] | undefined, own: ProtocolRange = PROTOCOL): boolean {
  if (header === undefined) return true;
  const said = /^(\d{1,9})-(\d{1,9})$/.exec(String(header));
  return said !== null && meet({ oldest: Number(said[1]), newest: Number(said[2]) }, own);
}

/** The first thing that keeps the two from working together. null where nothing does, or the answer says nothing about it (none, or 404 from an older version). */
export function mismatchOf({ distrust, from, status, text }: VersionReply, own: OwnSide): Mismatch | null {
  const who = `the control plane at ${from.origin}`;
  if (distrust !== undefined)
    return {
      variable: ENV.internalCaFile,
      problem:
        `does not vouch for ${who} (${distrust}): give this program the authority that issued the certificate there, ` +
        'and that certificate the name by which it is reached here',
    };
  if (status === 401)
    return {
      variable: own.secretVariable,
      problem: `does not hold the secret that ${who} expects: give both the same file, and start the control plane first when replacing it`,
    };
  const said = status === 200 ? parsed(text) : null;
  if (said === null) return null;
  if (!meet(said.protocol, own.protocol))
    return {
      variable: ENV.controlPlaneInternalUrl,
      problem:
        `names a control plane of an incompatible version: ${said.version ?? 'the one'} at ${from.origin} speaks protocol ${spoken(said.protocol)}, ` +
        `this program speaks ${spoken(own.protocol)}; run adjacent versions, and upgrade gateways first, then stdio hosts, then control planes`,
    };
  return own.keys === null ? null : keyMismatch(said, own.keys, who);
}

function keyMismatch(said: ControlPlaneVersion, keys: NonNullable<OwnSide['keys']>, who: string): Mismatch | null {
  if (said.snapshotKeyId !== undefined && !keys.snapshotKeyIds.includes(said.snapshotKeyId))
    return {
      variable: ENV.snapshotPublicKeyFile,
      problem:
        `does not hold the public half of the key that ${who} signs with (${said.snapshotKeyId}; the file has ${keys.snapshotKeyIds.join(' and ')}): ` +
        `give this gateway the ${KEY_FILES.snapshotPublic} that belongs to ${ENV.snapshotSigningKeyFile} there, and before replacing that key ` +
        'put both public keys into the file',
    };
  if (said.tokenTagKeyId !== undefined && said.tokenTagKeyId !== keys.tokenTagKeyId)
    return {
      variable: ENV.tokenTagKeyFile,
      problem: `does not hold the key with which ${who} marks tokens, so that none would work here: give both the same ${KEY_FILES.tokenTag}`,
    };
  return null;
}

function parsed(text: string): ControlPlaneVersion | null {
  try {
    return ControlPlaneVersion.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

function meet(one: ProtocolRange, other: ProtocolRange): boolean {
  return one.oldest <= other.newest && other.oldest <= one.newest;
}

function spoken({ oldest, newest }: ProtocolRange): string {
  return oldest === newest ? String(oldest) : `${oldest} to ${newest}`;
}
