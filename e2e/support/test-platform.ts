import type { BootstrapFile } from '@patchbay/contracts';
import type { Api } from './api.ts';

/** What the suites ask of a platform, however it runs. */
export interface TestPlatform {
  /** Mentioned by every process of it. */
  readonly home: string;
  readonly facts: BootstrapFile;
  readonly gatewayUrl: string;
  /** The API as its installation operator, by API token. */
  readonly api: Api;
  /** Where clients go: `/{org}/mcp` or `/{org}/{server}/mcp`. */
  mcpUrl(server?: string, organisation?: string): string;
  /** The same endpoint on each gateway by itself: what holds everywhere is asked of each. */
  endpoints(server?: string, organisation?: string): string[];
  /** Registers a server and waits until every gateway serves it. */
  register(slug: string, url: string, more?: Record<string, unknown>): Promise<void>;
  /** `/livez`, `/readyz` and `/metrics` of each gateway are below these. */
  readonly adminUrls: readonly string[];
  /** Every value that its stores hold, as a thief of their dumps has it. */
  dump(): Promise<unknown[]>;
  /** What it printed where people look, by name. */
  printed(): Record<string, string>;
  /** The text of every key and secret that it was given, by name. */
  secrets(): Record<string, string>;
  /** Folders that hold what gateways keep on their disks, and what programs logged. */
  readonly folders: { readonly gateways: readonly string[]; readonly logs: string };
  dispose(): Promise<void>;
}

/** Starts a platform with more environment for its programs; each takes what applies to it. */
export type StartPlatform = (env?: Record<string, string>) => Promise<TestPlatform>;
