import { tenants } from './suites/tenants.ts';
import { Platform } from './support/platform.ts';

tenants((env) => Platform.start(env));
