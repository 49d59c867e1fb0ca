export { equalSecrets, mintPassword, mintSecret } from './secrets.ts';
export {
  hashToken,
  mintToken,
  parseToken,
  TOKEN_KINDS,
  tokenHint,
  verifyTag,
  type ParsedToken,
  type RandomBytes,
  type TagKey,
  type TokenKind,
} from './token.ts';
