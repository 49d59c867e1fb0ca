const CONFIG_FILE = /(^|[\\/])(config|[\w-]+\.config)\.(ts|mts|mjs)$/;
const MESSAGE = 'The environment is read in a config.ts only, once, checked, and handed on as a frozen object.';

/** A variable read in the middle of a program is a setting that no one can list, check or document. */
export const noProcessEnv = {
  meta: { type: 'problem', docs: { description: 'process.env is read in a config.ts only' } },
  create(context) {
    if (CONFIG_FILE.test(context.filename)) return {};
    return {
      MemberExpression(node) {
        const property = node.computed ? node.property.value : node.property.name;
        if (property !== 'env') return;
        const { object } = node;
        const isProcess = object.type === 'Identifier' && object.name === 'process';
        const isGlobalProcess =
          object.type === 'MemberExpression' && object.object.name === 'globalThis' && object.property.name === 'process';
        const isImportMeta = object.type === 'MetaProperty';
        if (isProcess || isGlobalProcess || isImportMeta) context.report({ node, message: MESSAGE });
      },
      VariableDeclarator(node) {
        if (node.id.type !== 'ObjectPattern' || node.init?.type !== 'Identifier' || node.init.name !== 'process') return;
        if (node.id.properties.some((property) => property.key?.name === 'env')) context.report({ node, message: MESSAGE });
      },
      ImportDeclaration(node) {
        if (!/^(node:)?process$/.test(node.source.value)) return;
        if (node.specifiers.some((specifier) => specifier.imported?.name === 'env')) context.report({ node, message: MESSAGE });
      },
    };
  },
};
