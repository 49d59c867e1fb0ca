import { VERSION } from '@patchbay/contracts';

/** How Patchbay names itself where no single upstream is meant. Self-reported and shown to people only. */
export const SERVER_INFO = { name: 'patchbay', title: 'Patchbay', version: VERSION } as const;

/** `_meta` key under which a 2026-07-28 result names its server. */
export const SERVER_INFO_META_KEY = 'io.modelcontextprotocol/serverInfo';

/** Vendor key of an aggregated list's `_meta`: what happened per server that is missing from it. */
export const SERVERS_META_KEY = 'com.patchbay/servers';

/** Vendor key of a list's `_meta`: what the profile of the caller's client kept from being sent. */
export const LEFT_OUT_META_KEY = 'com.patchbay/leftOut';
