import { secrets } from '../suites/secrets.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

secrets((env) => ScaledPlatform.start(env));
