import { describeSocketsOn } from './support/describe-sockets-on.ts';
import { openRedisPorts } from './support/open-ports.ts';

describeSocketsOn('Redis', openRedisPorts);
