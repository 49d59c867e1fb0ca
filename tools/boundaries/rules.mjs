const PRODUCTION = String.raw`^(apps|packages)/[^/]+/src/(?!.*\.test\.ts$)`;
const MIDDLE = 'policy|tokens|mcp-wire|vault|ports|telemetry|egress|embedded-postgres';

/** A rule is an error, named after what it keeps true. */
function forbid(name, comment, from, to) {
  return { name, comment, severity: 'error', from, to };
}

/** Who may import whom: arrows point down only (apps → middle packages → contracts, errors). */
export const RULES = [
  forbid(
    'apps-stay-apart',
    'Programs meet in contracts, on the bus and over HTTP, never in an import.',
    { path: '^apps/([^/]+)/' },
    { path: '^apps/', pathNot: '^apps/$1/' },
  ),
  forbid('packages-below-apps', 'A package never imports an app.', { path: '^packages/' }, { path: '^apps/' }),
  forbid(
    'foundation-stands-alone',
    'contracts and errors import no other package of ours, except contracts → errors.',
    { path: '^packages/(contracts|errors)/' },
    { path: '^packages/', pathNot: '^packages/(contracts|errors)/' },
  ),
  forbid('errors-below-contracts', 'errors imports nothing of ours.', { path: '^packages/errors/' }, { path: '^packages/contracts/' }),
  forbid(
    'shared-code-through-the-package',
    'A package is entered by its name (its exports), never by a path into its sources.',
    { path: '^(apps|packages)/([^/]+)/' },
    { path: '^packages/', pathNot: '^packages/$2/', dependencyTypes: ['local'] },
  ),
  forbid(
    'testkit-in-tests-only',
    'What ships never contains the test kit.',
    { path: PRODUCTION, pathNot: '^packages/testkit/' },
    { path: '^packages/testkit/' },
  ),
  forbid(
    'production-without-tests',
    'What ships never imports a test.',
    { path: PRODUCTION },
    { path: String.raw`(\.test|\.itest|\.e2e)\.ts$|/test/` },
  ),
  forbid(
    'gateway-without-frameworks',
    'The data plane carries no Nest, Prisma, BullMQ or Fastify.',
    { path: '^apps/gateway/src/' },
    { path: 'node_modules/(@nestjs|@prisma|prisma|bullmq|fastify|express)/' },
  ),
  forbid(
    'hot-path-without-zod',
    'Steps of a call look things up; what they look up was parsed before (style: parse at the edge).',
    { path: '^apps/gateway/src/(pipeline|methods)/' },
    { path: 'node_modules/zod/', dependencyTypesNot: ['type-only'] },
  ),
  forbid(
    'hot-path-has-no-io-clients',
    'A step never opens a file, a database or a socket of its own.',
    { path: '^apps/gateway/src/pipeline/' },
    {
      path: 'node_modules/(pg|undici|ioredis)/|^(node:)?(fs|fs/promises|net|tls|http|https|http2|dgram|child_process)$',
      dependencyTypesNot: ['type-only'],
    },
  ),
  forbid(
    'modules-through-their-index',
    'A module of the control plane is seen only through its index.ts.',
    { path: '^apps/control-plane/src/modules/([^/]+)/' },
    {
      path: '^apps/control-plane/src/modules/[^/]+/',
      pathNot: '^apps/control-plane/src/modules/$1/|^apps/control-plane/src/modules/[^/]+/index\\.ts$',
    },
  ),
  forbid(
    'modules-through-their-index-from-outside',
    'The rest of the control plane sees a module only through its index.ts.',
    { path: '^apps/control-plane/src/', pathNot: '^apps/control-plane/src/modules/|\\.test\\.ts$' },
    { path: '^apps/control-plane/src/modules/[^/]+/', pathNot: '^apps/control-plane/src/modules/[^/]+/index\\.ts$' },
  ),
  forbid(
    'nest-in-the-control-plane-only',
    'Packages and the other programs carry no Nest.',
    { path: '^packages/|^apps/(?!control-plane/)' },
    { path: 'node_modules/@nestjs/' },
  ),
  forbid(
    'prisma-in-the-control-plane-only',
    'The schema has one reader.',
    { path: '^packages/|^apps/(?!control-plane/)' },
    { path: 'node_modules/(@prisma|prisma)/' },
  ),
  forbid(
    'middle-packages-look-down',
    'Packages of the middle layer lean on each other only where it is listed here.',
    { path: `^packages/(${MIDDLE})/src/`, pathNot: String.raw`\.test\.ts$` },
    { path: '^packages/', pathNot: `^packages/($1|contracts|errors|telemetry|tokens)/` },
  ),
  forbid(
    'listening-looks-down',
    'Beside what the middle layer leans on, what listens reads its keys by the vault.',
    { path: '^packages/listening/src/', pathNot: String.raw`\.test\.ts$` },
    { path: '^packages/', pathNot: '^packages/(listening|contracts|errors|telemetry|tokens|vault)/' },
  ),
  forbid(
    'discovery-looks-down',
    'Asking a server what it offers leans on what speaks MCP and on the way out, and on nothing beside them.',
    { path: '^packages/discovery/src/', pathNot: String.raw`\.test\.ts$` },
    { path: '^packages/', pathNot: '^packages/(discovery|contracts|egress|errors|mcp-wire|telemetry)/' },
  ),
  forbid(
    'no-circular',
    'A cycle has no first file to read. Types alone may meet.',
    {},
    { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  ),
  forbid(
    'no-unresolvable',
    'An import that resolves to nothing escapes every rule above.',
    {},
    { couldNotResolve: true, pathNot: String.raw`/generated/|/dist/` },
  ),
];
