import { observability } from './suites/observability.ts';
import { Platform } from './support/platform.ts';

observability((env) => Platform.start(env));
