import { describeLimitsOn } from './support/describe-limits-on.ts';
import { openPostgresPorts } from './support/open-ports.ts';

describeLimitsOn('Postgres', openPostgresPorts);
