const ALLOWED = /\.repository\.ts$|[\\/]prisma[\\/]/;
// `database.server.findMany(…)`: names of methods that nothing but a model of Prisma has.
const MODEL_METHOD =
  /^(findUnique|findUniqueOrThrow|findFirst|findFirstOrThrow|findMany|createMany|createManyAndReturn|updateMany|updateManyAndReturn|upsert|deleteMany)$/;
const RAW = /^\$(queryRaw|queryRawUnsafe|queryRawTyped|executeRaw|executeRawUnsafe|transaction)$/;
// What hands a transaction to its callback, as the first parameter.
const OPENS = new Set(['withOrganisation', 'commit', '$transaction']);
const ADVICE = 'Rows are read and written in a *.repository.ts: call a function of one and hand it the transaction.';

/** The name a member access ends in: `.name`, `['name']` or `#name`. */
function memberName({ property, computed }) {
  if (!computed) return property.name;
  return property.type === 'Literal' ? String(property.value) : '';
}

function isTransactionType(annotation) {
  const type = annotation?.typeAnnotation?.typeName;
  return type?.name === 'Tx' || type?.right?.name === 'TransactionClient';
}

/** Whether a function is handed straight to what opens a transaction. */
function isTransactionWork({ parent }) {
  if (parent?.type !== 'CallExpression' || parent.callee.type !== 'MemberExpression') return false;
  return OPENS.has(memberName(parent.callee));
}

/** Tenancy is reviewed where the queries are (security.md §6): elsewhere a transaction is only handed on. */
export const noQueriesOutsideRepositories = {
  meta: { type: 'problem', docs: { description: 'only repositories and src/prisma query' } },
  create(context) {
    if (ALLOWED.test(context.filename)) return {};
    const report = (node, what) => context.report({ node, message: `${what} outside a repository. ${ADVICE}` });
    const checkUses = (variable) => {
      for (const { identifier } of variable.references) {
        const { parent } = identifier;
        if (parent.type === 'MemberExpression' && parent.object === identifier) report(parent, `A query through '${variable.name}'`);
        if (parent.type === 'VariableDeclarator' && parent.init === identifier) report(parent, `'${variable.name}' under another name`);
      }
    };
    const checkFunction = (node) => {
      const isWork = isTransactionWork(node);
      for (const [index, parameter] of node.params.entries()) {
        if (parameter.name !== 'tx' && !isTransactionType(parameter.typeAnnotation) && !(isWork && index === 0)) continue;
        if (parameter.type === 'ObjectPattern') report(parameter, 'A transaction taken apart');
        const variable = context.sourceCode.getDeclaredVariables(node).find(({ name }) => name === parameter.name);
        if (variable !== undefined) checkUses(variable);
      }
    };
    return {
      FunctionDeclaration: checkFunction,
      FunctionExpression: checkFunction,
      ArrowFunctionExpression: checkFunction,
      MemberExpression(node) {
        const name = memberName(node);
        if (RAW.test(name)) report(node, `'${name}'`);
        else if (MODEL_METHOD.test(name) && node.object.type === 'MemberExpression') report(node, `'${name}'`);
      },
    };
  },
};
