const VERBS = ['search', 'list', 'read', 'create', 'update', 'archive', 'assign', 'export', 'compare', 'summarise'];
const NOUNS = ['tickets', 'invoices', 'documents', 'deployments', 'customers', 'incidents', 'contracts', 'reports'];

/** The name of a server's k-th tool: as people name them, no two alike. */
export function toolName(k: number): string {
  const verb = VERBS[k % VERBS.length] ?? '';
  const noun = NOUNS[Math.floor(k / VERBS.length) % NOUNS.length] ?? '';
  return k < VERBS.length * NOUNS.length ? `${verb}_${noun}` : `${verb}_${noun}_${k}`;
}

const TEXT = { type: 'string', description: 'Words that have to occur, in any order. A phrase in quotation marks has to occur as it is.' };
const FILTERS = {
  type: 'object',
  description: 'Narrows what is found. What is left out narrows nothing.',
  properties: {
    status: { type: 'array', items: { type: 'string', enum: ['open', 'blocked', 'in_review', 'closed'] }, description: 'Any of these.' },
    assignee: { type: 'string', description: 'Name or address of a person; `me` for whoever asks.' },
    changedAfter: { type: 'string', format: 'date-time', description: 'Only what was changed after this moment.' },
  },
};

/** Its definition, of about 1.1 KB: so long are those of common servers. */
export function toolDefinition(name: string): string {
  return JSON.stringify({
    name,
    title: name.replaceAll('_', ' '),
    description:
      `Use this to ${name.replaceAll('_', ' ')} of the workspace that the caller belongs to. Results are ordered by when they were last changed, ` +
      'newest first, and cut off after `limit`; the answer says whether there are more. Does not look into archived ones unless it is asked to.',
    inputSchema: {
      type: 'object',
      properties: {
        query: TEXT,
        limit: { type: 'integer', minimum: 1, maximum: 200, default: 20, description: 'How many are returned at most.' },
        filters: FILTERS,
        includeArchived: { type: 'boolean', default: false },
      },
      required: ['query'],
    },
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  });
}
