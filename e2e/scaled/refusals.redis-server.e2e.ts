import { refusals } from '../suites/refusals.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

refusals((env) => ScaledPlatform.start(env));
