export { isLoopbackName } from './addresses.ts';
export type { CertificateLog } from './certificate.ts';
export { createListeningServer, type HostCheck, isPrivateEnough, makeHostCheck, mayReadMetrics } from './listener.ts';
export {
  internalUrls,
  type Listener,
  type PrivateListener,
  type PublicListener,
  readInternalCa,
  readListeners,
  readPrivateListener,
} from './settings.ts';
export { type Received, TrustedProxies } from './trusted-proxies.ts';
