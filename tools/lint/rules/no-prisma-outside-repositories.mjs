const PRISMA = /^(@prisma\/|prisma$|prisma\/)|(^|\/)generated\/(prisma(\/|$)|client)/;
const ALLOWED = /\.repository\.ts$|[\\/]prisma[\\/]|[\\/]prisma\.config\.ts$/;

/** A query outside a repository is one that no reviewer of tenancy looks at. */
export const noPrismaOutsideRepositories = {
  meta: { type: 'problem', docs: { description: 'only repositories and src/prisma see Prisma' } },
  create(context) {
    if (ALLOWED.test(context.filename)) return {};
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== 'string' || !PRISMA.test(source)) return;
      context.report({ node, message: `'${source}' is Prisma: only *.repository.ts and src/prisma/ may see it.` });
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check, ImportExpression: check };
  },
};
