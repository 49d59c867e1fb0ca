const LINES_MAX = 50;

/**
 * A function's own lines: those of the functions inside it count for them. So a factory (`makeX(deps)` returning closures)
 * is measured as a class would be, method by method, and cannot hide a long one.
 */
export const maxFunctionLines = {
  meta: { type: 'suggestion', docs: { description: `functions have at most ${LINES_MAX} lines of their own` } },
  create(context) {
    const open = [];
    const enter = () => open.push(0);
    const leave = (node) => {
      const inner = open.pop();
      const lines = node.loc.end.line - node.loc.start.line + 1;
      if (open.length > 0) open[open.length - 1] += lines - 1;
      const own = lines - inner;
      if (own > LINES_MAX)
        context.report({ node, message: `This function has ${own} lines of its own: ${LINES_MAX} is the most. Name a part of it.` });
    };
    return {
      FunctionDeclaration: enter,
      FunctionExpression: enter,
      ArrowFunctionExpression: enter,
      'FunctionDeclaration:exit': leave,
      'FunctionExpression:exit': leave,
      'ArrowFunctionExpression:exit': leave,
    };
  },
};
