import { z } from 'zod';

/** `PATCHBAY_HOME/bootstrap.json` (0600): what the first start made, written once calls are answered. Embedded mode only. */
export const BootstrapFile = z.object({
  apiUrl: z.url(),
  gatewayUrl: z.url(),
  mcpUrl: z.url(),
  org: z.string(),
  adminEmail: z.string(),
  adminPassword: z.string(),
  token: z.string(),
  apiToken: z.string(),
});
export type BootstrapFile = z.infer<typeof BootstrapFile>;

/** What the control plane's first-start program prints on its stdout, as one line of JSON. */
export const FirstStartResult = BootstrapFile.pick({ org: true, adminEmail: true, adminPassword: true, token: true, apiToken: true });
export type FirstStartResult = z.infer<typeof FirstStartResult>;
