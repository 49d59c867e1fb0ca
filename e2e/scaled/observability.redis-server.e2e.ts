import { observability } from '../suites/observability.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

observability((env) => ScaledPlatform.start(env));
