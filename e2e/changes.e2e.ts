import { changes } from './suites/changes.ts';
import { Platform } from './support/platform.ts';

changes((env) => Platform.start(env));
