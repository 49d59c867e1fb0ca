import { tenants } from '../suites/tenants.ts';
import { ScaledPlatform } from '../support/scaled/platform.ts';

tenants((env) => ScaledPlatform.start(env));
