import { secrets } from './suites/secrets.ts';
import { Platform } from './support/platform.ts';

secrets((env) => Platform.start(env));
