import { ANSWER_ROWS } from './answers.ts';
import { CALL_ROWS, SDK_ROWS } from './call-rows.ts';
import { CHANGE_ROWS } from './change.ts';
import { GROWTH_ROWS } from './growth.ts';
import { IDLE_ROWS } from './idle-streams.ts';
import { LATENCY_ROWS } from './latency.ts';
import { NOT_MEASURED } from './not-measured.ts';
import type { Group } from './row.ts';
import { STRANGER_ROWS } from './strangers.ts';
import { EVENT_ROWS, LARGE_ROWS } from './streams.ts';

/** All rows, in the order in which they are measured: what needs a quiet machine last. */
export const GROUPS: readonly Group[] = [
  CALL_ROWS,
  SDK_ROWS,
  EVENT_ROWS,
  ANSWER_ROWS,
  LARGE_ROWS,
  GROWTH_ROWS,
  IDLE_ROWS,
  LATENCY_ROWS,
  STRANGER_ROWS,
  CHANGE_ROWS,
  NOT_MEASURED,
];
