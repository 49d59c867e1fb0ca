import { conformance } from '../suites/conformance.ts';

conformance('3-redis', 'three gateways on Redis');
