import { fileURLToPath } from 'node:url';
import { defineConfig } from 'prisma/config';

// The CLI looks for a schema engine, which it would download, before every command; `generate` and `validate` never run
// it. Any file that exists satisfies the search.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= fileURLToPath(import.meta.url);

// biome-ignore lint/style/noDefaultExport: the CLI reads the default export.
export default defineConfig({ schema: '../../prisma/schema.prisma', migrations: { path: '../../prisma/migrations' } });
