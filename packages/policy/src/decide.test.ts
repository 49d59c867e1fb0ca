import fc from 'fast-check';
import { GrantsPart, type GrantSubject } from '@patchbay/contracts';
import { expect, test } from 'vitest';
import { compileGrants } from './compile-grants.ts';
import { decide, fingerprint, permittedServers, type PolicyObject } from './decide.ts';

type Grants = GrantsPart['grants'];

const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const users = [uuid(1), uuid(2), uuid(3)];
const servers = [uuid(11), uuid(12)];
const tools = ['read', 'write', 'constructor', '__proto__'];
const kinds = ['tool', 'prompt', 'resource', 'template', 'server'] as const;

const anySubject = fc.oneof(
  fc.constant({ kind: 'everyone' }),
  fc.constantFrom(...users).map((userId) => ({ kind: 'user', userId })),
);
const anyTools = fc.oneof(
  fc.constant({ mode: 'all' }),
  fc.uniqueArray(fc.constantFrom(...tools), { minLength: 1 }).map((names) => ({ mode: 'names', names })),
);
const anyGrants = fc
  .array(fc.record({ subject: anySubject, serverId: fc.constantFrom(...servers), tools: anyTools }), { maxLength: 12 })
  .map((grants): Grants => GrantsPart.parse({ format: 1, grants: grants.map((grant, at) => ({ id: uuid(100 + at), ...grant })) }).grants);
const anyObject: fc.Arbitrary<PolicyObject> = fc.record({ kind: fc.constantFrom(...kinds), name: fc.constantFrom(...tools) });
const anyUser = fc.constantFrom(...users);
const anyServer = fc.constantFrom(...servers);

const principalOf = (userId: string): { subjects: string[] } => ({ subjects: [`user:${userId}`, 'everyone'] });
const names = (subject: GrantSubject, userId: string): boolean => subject.kind === 'everyone' || subject.userId === userId;

function covers(grant: Grants[number], userId: string, serverId: string, object: PolicyObject): boolean {
  if (!names(grant.subject, userId) || grant.serverId !== serverId) return false;
  if (grant.tools.mode === 'all' || object.kind === 'server') return true;
  return object.kind === 'tool' && grant.tools.names.includes(object.name);
}

test('a call is allowed exactly when a grant covers it, and the grant that is named covers it', () => {
  fc.assert(
    fc.property(anyGrants, anyUser, anyServer, anyObject, (grants, user, server, object) => {
      const decision = decide(compileGrants([grants.slice(0, 5), grants.slice(5)]), principalOf(user), server, object);
      const covering = grants.filter((grant) => covers(grant, user, server, object)).map(({ id }) => id);
      if (covering.length === 0) expect(decision).toEqual({ kind: 'deny', rule: 'no-grant' });
      else expect(covering).toContain(decision.kind === 'allow' ? decision.grantId : 'denied');
    }),
  );
});

test('without a grant everything is denied', () => {
  fc.assert(
    fc.property(anyUser, anyServer, anyObject, (user, server, object) => {
      expect(decide(compileGrants([]), principalOf(user), server, object).kind).toBe('deny');
    }),
  );
});

test("another user's grant never leaks, whatever it covers", () => {
  fc.assert(
    fc.property(anyGrants, anyUser, anyServer, anyObject, (grants, user, server, object) => {
      const others = grants.filter(({ subject }) => subject.kind === 'user' && subject.userId !== user);
      expect(decide(compileGrants([others]), principalOf(user), server, object).kind).toBe('deny');
    }),
  );
});

test('a grant of named tools never opens a prompt, a resource or a template', () => {
  fc.assert(
    fc.property(anyGrants, anyUser, anyServer, anyObject, (grants, user, server, object) => {
      fc.pre(object.kind === 'prompt' || object.kind === 'resource' || object.kind === 'template');
      const named = grants.filter((grant) => grant.tools.mode === 'names');
      expect(decide(compileGrants([named]), principalOf(user), server, object).kind).toBe('deny');
    }),
  );
});

test('the permitted servers are those of which the principal may know', () => {
  fc.assert(
    fc.property(anyGrants, anyUser, (grants, user) => {
      const compiled = compileGrants([grants]);
      const known = servers.filter((server) => decide(compiled, principalOf(user), server, { kind: 'server', name: '' }).kind === 'allow');
      expect(permittedServers(compiled, principalOf(user)).sort()).toEqual(known.sort());
    }),
  );
});

test('principals with equal fingerprints are decided alike', () => {
  fc.assert(
    fc.property(anyGrants, anyUser, anyUser, anyObject, (grants, one, two, object) => {
      const compiled = compileGrants([grants]);
      fc.pre(fingerprint(compiled, principalOf(one)) === fingerprint(compiled, principalOf(two)));
      for (const server of servers) {
        expect(decide(compiled, principalOf(one), server, object)).toEqual(decide(compiled, principalOf(two), server, object));
      }
    }),
  );
});

test('the order of subjects does not change the fingerprint', () => {
  const compiled = compileGrants([
    GrantsPart.parse({
      format: 1,
      grants: [
        { id: uuid(100), subject: { kind: 'everyone' }, serverId: servers[0], tools: { mode: 'all' } },
        { id: uuid(101), subject: { kind: 'user', userId: users[0] }, serverId: servers[0], tools: { mode: 'all' } },
      ],
    }).grants,
  ]);
  const subjects = principalOf(users[0] ?? '').subjects;
  expect(fingerprint(compiled, { subjects: [...subjects].reverse() })).toBe(fingerprint(compiled, { subjects }));
});
