import type { World } from './world.ts';

type Deed = (world: World) => void;
type ManifestFacts = { readonly organisationId: string; readonly epoch: number; readonly revision: number };
type EntryFacts = { readonly organisationId: string; readonly tokenHash: string };

/** Puts a manifest in the place of an organisation's; the store keeps where it stands beside it, unsigned. */
const replaceManifest =
  (at: 'as it says' | 'lowest' | 'highest'): Deed =>
  ({ random, signatures, store, trace, truth }) => {
    const organisation = random.pick(truth.organisations);
    const old = signatures
      .recorded('manifest')
      .filter(({ payload }) => at !== 'as it says' || (payload as ManifestFacts).organisationId === organisation.id);
    if (old.length === 0) return;
    const { text, payload } = random.pick(old);
    const { epoch, revision } = payload as ManifestFacts;
    trace.note(`the attacker puts manifest ${text} (${epoch}.${revision}), placed ${at}, in the place of that of ${organisation.slug}`);
    const positions = { 'as it says': { epoch, revision }, lowest: { epoch: 0, revision: 0 }, highest: { epoch: 99, revision: 99 } };
    store.contents.manifests.set(organisation.id, { at: positions[at] as never, jws: text });
  };

/** Puts old entries of tokens back: of those that are good, or of all, and then where no control plane's own goes over it. */
const replaceEntries =
  (of: 'good' | 'all'): Deed =>
  ({ random, signatures, store, trace, truth }) => {
    trace.note(`the attacker puts back old entries of ${of === 'good' ? 'good' : 'all'} tokens`);
    for (const { text, payload } of signatures.recorded('tokenEntry').toReversed()) {
      const { organisationId, tokenHash } = payload as EntryFacts;
      const token = truth.byId(organisationId)?.tokens.get(tokenHash as never);
      if (of === 'good' && (token?.revokedAt !== null || random.chance(0.5))) continue;
      store.contents.tokens.set(`${organisationId}:${tokenHash}`, { revision: of === 'good' ? 0 : Number.MAX_SAFE_INTEGER, jws: text });
    }
  };

const remove: Deed = ({ random, store, trace, truth }) => {
  const { id, slug } = random.pick(truth.organisations);
  trace.note(`the attacker removes what is there of ${slug}`);
  store.contents.manifests.delete(id);
  store.contents.organisations.delete(slug);
  for (const kept of [store.contents.tokens, store.contents.parts]) for (const key of kept.keys()) if (key.startsWith(id)) kept.delete(key);
};

const scribble: Deed = ({ random, store, trace, truth }) => {
  const { id, slug } = random.pick(truth.organisations);
  trace.note(`the attacker writes rubbish over manifest and entries of ${slug}`);
  store.contents.manifests.set(id, { at: { epoch: 0, revision: 0 as never }, jws: 'rubbish' });
  store.contents.organisations.set(slug, 'rubbish');
  for (const key of store.contents.tokens.keys()) if (key.startsWith(id)) store.contents.tokens.set(key, { revision: 0, jws: 'rubbish' });
};

const spoilParts: Deed = ({ random, store, trace }) => {
  trace.note('the attacker writes rubbish over parts');
  for (const key of store.contents.parts.keys()) if (random.chance(0.5)) store.contents.parts.set(key, Buffer.from('rubbish'));
};

const repeat: Deed = ({ random, store, trace }) => {
  if (store.published.length === 0) return;
  const { topic, message } = random.pick(store.published);
  trace.note(`the attacker repeats ${message.slice(0, 40)} on ${topic}`);
  store.deliver(topic, message);
};

const announce: Deed = ({ store, trace }) => {
  trace.note('the attacker announces without a key');
  store.deliver('revisions', 'rubbish');
  store.deliver('pods', 'rubbish');
};

const DEEDS: readonly Deed[] = [
  replaceManifest('as it says'),
  replaceManifest('lowest'),
  replaceManifest('highest'),
  replaceEntries('good'),
  replaceEntries('all'),
  remove,
  scribble,
  spoilParts,
  repeat,
  announce,
];

/** Puts back the first manifest of an organisation that was changed, and lets a pod start again where it can ask nobody but the store. */
export function startOnTheFirstManifest(world: World): void {
  const { controlPlanes, network, random, scheduler, signatures, store, truth } = world;
  const organisation = random.pick(truth.organisations);
  truth.changeServer(organisation);
  random.pick(controlPlanes).committed(organisation);
  const pod = random.pick(world.pods);
  scheduler.plan(random.between(1_000, 3_000), () => {
    const ofIt = ({ payload }: { payload: unknown }): boolean => (payload as ManifestFacts).organisationId === organisation.id;
    const first = signatures.recorded('manifest').find(ofIt);
    if (first === undefined) return;
    for (const { place } of controlPlanes) network.link(pod.name, place.name).state = 'refused';
    store.contents.manifests.set(organisation.id, { at: { epoch: 99, revision: 99 as never }, jws: first.text });
    pod.kill({ losesDisk: false });
    pod.start();
    scheduler.plan(2_000, () => network.heal());
  });
}

/** One deed of whoever can write to the store and its bus, has recorded all that was ever there, and holds no key. */
export function attack(world: World): void {
  world.random.pick(DEEDS)(world);
}
