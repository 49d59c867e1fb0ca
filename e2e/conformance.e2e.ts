import { conformance } from './suites/conformance.ts';

conformance('3', 'three gateways on the embedded stores');
