import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisPorts, type Ports } from '@patchbay/ports';
import { testRedisServer } from '@patchbay/testkit';
import { type ControlPlane, startControlPlane } from '../organisation/control-plane.ts';
import { makeOrganisation, type Organisation, type OrganisationSpec } from '../organisation/organisation.ts';
import { publish } from '../organisation/publish.ts';
import { makeSigner, type Signer } from '../organisation/signer.ts';
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
import { type Keys, makeKeys } from './keys.ts';
import { type Nginx, startUpstream } from './nginx.ts';

/** What ends with the stage. */
type Ending = () => Promise<unknown>;

/** Settings of a run that every gateway of it has. */
export type StageOptions = Pick<GatewayOptions, 'nodeOptions' | 'env'>;

/** Where a benchmark plays: stores, an upstream, what signs, and the gateways that are started on it. Everything on loopback. */
export type Stage = {
  readonly folder: string;
  readonly upstream: Nginx;
  readonly ports: Ports;
  readonly signer: Signer;
  /** Started now, ended with the stage. */
  keep<T extends { end(): Promise<void> }>(starting: Promise<T>): Promise<T>;
  /** Makes an organisation known to control plane and stores, before the gateways that serve it. */
  found(spec: OrganisationSpec): Promise<Organisation>;
  /** One more gateway. `more`: further options of its Node. */
  gateway(more?: readonly string[]): Promise<Gateway>;
  close(): Promise<void>;
};

export async function openStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-bench-'));
  const endings: Ending[] = [async () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })];
  try {
    const signer = makeSigner();
    const redis = await testRedisServer();
    endings.push(() => redis.stop());
    const ports = createRedisPorts({ url: redis.url });
    endings.push(() => ports.close());
    const controlPlane = await startControlPlane(signer);
    endings.push(() => controlPlane.close());
    const upstream = await startUpstream(folder);
    endings.push(() => upstream.end());
    const keys = makeKeys(folder, signer);
    return stageOf({ folder, upstream, ports, signer, redisUrl: redis.url, keys, controlPlane, options, endings });
  } catch (error) {
    await endAll(endings);
    throw error;
  }
}

type Parts = Pick<Stage, 'folder' | 'upstream' | 'ports' | 'signer'> & {
  readonly redisUrl: string;
  readonly keys: Keys;
  readonly controlPlane: ControlPlane;
  readonly options: StageOptions;
  readonly endings: Ending[];
};

function stageOf({ controlPlane, endings, folder, keys, options, ports, redisUrl, signer, upstream }: Parts): Stage {
  async function keep<T extends { end(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const started = await starting;
    endings.push(() => started.end());
    return started;
  }
  const places = { folder, redisUrl, keys: keys.env, controlPlaneUrl: controlPlane.url, collectorUrl: `http://127.0.0.1:${upstream.port}` };
  return {
    folder,
    upstream,
    ports,
    signer,
    keep,
    async found(spec) {
      const organisation = makeOrganisation(spec, keys.tagKey);
      await publish(organisation, ports, signer);
      controlPlane.add(organisation);
      return organisation;
    },
    gateway: (more = []) => keep(startGateway({ ...options, ...places, nodeOptions: [...(options.nodeOptions ?? []), ...more] })),
    close: () => endAll(endings),
  };
}

/** In the opposite order, each whatever became of the others. */
async function endAll(endings: Ending[]): Promise<void> {
  for (const end of endings.splice(0).toReversed()) await end().catch(() => undefined);
}
