import { ANSWER_ROWS } from './answers.ts';
import { CALL_ROWS, SDK_ROWS } from './call-rows.ts';
import type { Group } from './row.ts';

/** All rows, in the order in which they are measured: what needs a quiet machine last. */
export const GROUPS: readonly Group[] = [CALL_ROWS, SDK_ROWS, ANSWER_ROWS];
