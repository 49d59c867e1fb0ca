import { limits } from './suites/limits.ts';
import { Platform } from './support/platform.ts';

limits((env) => Platform.start(env));
