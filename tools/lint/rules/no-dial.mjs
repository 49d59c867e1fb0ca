const NETWORK_MODULE = /^(node:)?(net|tls|http|https|http2|dgram)$/;
const CLIENT_LIBRARY = /^(undici|ws|axios|got|node-fetch|eventsource)(\/|$)/;
// What listens, names or checks an address without ever opening a connection.
const HARMLESS = new Set(
  'createServer createSecureServer Server Http2SecureServer isIP isIPv4 isIPv6 BlockList SocketAddress STATUS_CODES METHODS maxHeaderSize validateHeaderName validateHeaderValue ServerResponse IncomingMessage WebSocketServer constants'.split(
    ' ',
  ),
);
const DIALLING_GLOBALS = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest']);
const ADVICE = 'Only packages/egress opens connections: it checks every address it dials.';

function checkImport(node, context) {
  if (node.importKind === 'type') return;
  const source = node.source.value;
  const values = node.specifiers.filter(({ importKind }) => importKind !== 'type');
  if (CLIENT_LIBRARY.test(source)) {
    const dials = values.filter(({ imported }) => !HARMLESS.has(imported?.name));
    if (dials.length > 0 || node.specifiers.length === 0) context.report({ node, message: `'${source}' dials. ${ADVICE}` });
    return;
  }
  if (!NETWORK_MODULE.test(source)) return;
  for (const specifier of values) {
    const name = specifier.imported?.name;
    if (name === undefined)
      context.report({ node: specifier, message: `All of '${source}' can dial: import by name what listens. ${ADVICE}` });
    else if (!HARMLESS.has(name)) context.report({ node: specifier, message: `'${name}' of '${source}' dials. ${ADVICE}` });
  }
}

function checkDynamic(node, source, context) {
  const name = source?.type === 'Literal' ? String(source.value) : '';
  if (NETWORK_MODULE.test(name) || CLIENT_LIBRARY.test(name)) context.report({ node, message: `'${name}' can dial. ${ADVICE}` });
}

/** One way out (security.md §7): a connection opened elsewhere skips the checks that keep tenants off our own network. */
export const noDial = {
  meta: { type: 'problem', docs: { description: 'only packages/egress dials' } },
  create(context) {
    return {
      ImportDeclaration: (node) => checkImport(node, context),
      ExportNamedDeclaration(node) {
        if (node.source && node.exportKind !== 'type')
          checkImport({ ...node, specifiers: node.specifiers.map((s) => ({ ...s, imported: s.local })) }, context);
      },
      ImportExpression: (node) => checkDynamic(node, node.source, context),
      CallExpression(node) {
        if (node.callee.type === 'Identifier' && node.callee.name === 'require') checkDynamic(node, node.arguments[0], context);
      },
      MemberExpression(node) {
        if (
          node.object.type === 'Identifier' &&
          node.object.name === 'globalThis' &&
          DIALLING_GLOBALS.has(node.property.name ?? node.property.value)
        ) {
          context.report({ node, message: `'${node.property.name ?? node.property.value}' dials. ${ADVICE}` });
        }
      },
      'Program:exit'() {
        for (const { identifier } of context.sourceCode.scopeManager.globalScope.through) {
          if (!DIALLING_GLOBALS.has(identifier.name) || identifier.parent?.type.startsWith('TSType')) continue;
          context.report({ node: identifier, message: `'${identifier.name}' dials. ${ADVICE}` });
        }
      },
    };
  },
};
