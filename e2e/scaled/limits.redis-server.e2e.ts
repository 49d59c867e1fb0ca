import { limits } from '../suites/limits.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

limits((env) => ScaledPlatform.start(env));
