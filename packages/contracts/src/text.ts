import { z } from 'zod';

/** Text as Postgres, the operating system and UTF-8 can keep it: what is read back is what was written. */
export const text = z
  .string()
  .refine((value) => !value.includes('\0') && value.isWellFormed(), { error: 'must be well-formed Unicode without NUL' });
