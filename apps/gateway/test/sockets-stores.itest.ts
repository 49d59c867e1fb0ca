import { describeSocketsOn } from './support/describe-sockets-on.ts';
import { openPostgresPorts } from './support/open-ports.ts';

describeSocketsOn('Postgres', openPostgresPorts);
