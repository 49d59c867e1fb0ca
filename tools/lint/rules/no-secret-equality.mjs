const SECRET_WORDS = new Set(['secret', 'token', 'hash', 'tag', 'digest', 'password', 'passphrase', 'signature', 'mac', 'hmac', 'otp']);
// Public by nature: the client chose it and reads it back.
const PUBLIC_NAMES = new Set(['progressToken', 'progresstoken']);
const SAME_VALUE = new Set([
  'reveal',
  'toString',
  'valueOf',
  'toJSON',
  'trim',
  'slice',
  'subarray',
  'toLowerCase',
  'toUpperCase',
  'normalize',
]);
const EQUALITY = new Set(['===', '!==', '==', '!=']);

/** The name that tells what an expression holds: the variable, the last property, or the method that was called. */
function nameOf(node) {
  switch (node.type) {
    case 'Identifier':
    case 'PrivateIdentifier':
      return node.name;
    case 'MemberExpression':
      return node.computed ? (node.property.type === 'Literal' ? String(node.property.value) : '') : nameOf(node.property);
    case 'CallExpression': {
      const called = nameOf(node.callee);
      // secret.toString(), token.reveal(): the value itself in another form.
      return SAME_VALUE.has(called) && node.callee.type === 'MemberExpression' ? nameOf(node.callee.object) : called;
    }
    case 'ChainExpression':
    case 'TSNonNullExpression':
    case 'TSAsExpression':
      return nameOf(node.expression);
    default:
      return '';
  }
}

function isSecretName(name) {
  if (PUBLIC_NAMES.has(name)) return false;
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(/[\s_-]+/);
  return SECRET_WORDS.has((words.at(-1) ?? '').toLowerCase());
}

/** A comparison with a constant asks for presence or kind, not for a secret's value. */
function isConstant(node) {
  return (
    node.type === 'Literal' ||
    (node.type === 'TemplateLiteral' && node.expressions.length === 0) ||
    (node.type === 'UnaryExpression' && node.operator !== 'typeof') ||
    (node.type === 'Identifier' && node.name === 'undefined')
  );
}

/** Comparing secrets with `===` tells, by its time, how many leading bytes were right. */
export const noSecretEquality = {
  meta: { type: 'problem', docs: { description: 'secrets are compared in constant time' } },
  create(context) {
    return {
      BinaryExpression(node) {
        if (!EQUALITY.has(node.operator) || isConstant(node.left) || isConstant(node.right)) return;
        const name = [node.left, node.right].map(nameOf).find(isSecretName);
        if (name === undefined) return;
        context.report({
          node,
          message: `'${name}' is compared with ${node.operator}: compare secrets with the constant-time comparison of packages/tokens.`,
        });
      },
    };
  },
};
