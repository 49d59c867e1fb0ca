import { mainJob } from '../suites/main-job.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

mainJob((env) => ScaledPlatform.start(env));
