import { refusals } from './suites/refusals.ts';
import { Platform } from './support/platform.ts';

refusals((env) => Platform.start(env));
