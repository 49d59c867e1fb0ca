import { describeLimitsOn } from './support/describe-limits-on.ts';
import { openRedisPorts } from './support/open-ports.ts';

describeLimitsOn('Redis', openRedisPorts);
