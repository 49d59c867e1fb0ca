import { changes } from '../suites/changes.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

changes((env) => ScaledPlatform.start(env));
