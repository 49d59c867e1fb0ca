import { maxFunctionLines } from './rules/max-function-lines.mjs';
import { noDial } from './rules/no-dial.mjs';
import { noPrismaOutsideRepositories } from './rules/no-prisma-outside-repositories.mjs';
import { noProcessEnv } from './rules/no-process-env.mjs';
import { noQueriesOutsideRepositories } from './rules/no-queries-outside-repositories.mjs';
import { noSecretEquality } from './rules/no-secret-equality.mjs';

/** The house rules: each stands for a class of bug that this project will not have twice. */
const plugin = {
  meta: { name: 'house' },
  rules: {
    'max-function-lines': maxFunctionLines,
    'no-dial': noDial,
    'no-prisma-outside-repositories': noPrismaOutsideRepositories,
    'no-process-env': noProcessEnv,
    'no-queries-outside-repositories': noQueriesOutsideRepositories,
    'no-secret-equality': noSecretEquality,
  },
};

// The linter loads a plugin by its default export.
export default plugin;
