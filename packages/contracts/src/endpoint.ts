import { z } from 'zod';
import { ClientProfile } from './directory.ts';

/** As browsers write it in `Origin`: scheme, host in lower case, and the port where it is not the scheme's own. */
const WebOrigin = z
  .string()
  .max(300)
  .refine((origin) => /^https?:[^*]+$/.test(origin) && URL.parse(origin)?.origin === origin, {
    error: 'must be an origin such as https://app.example.com: no path, no wildcard',
  });

/** The organisation's aggregated endpoint: everything that a caller may use, at one address. */
export const Endpoint = z.object({
  mcpUrl: z.string(),
  /** Of the clients that it is for. */
  clientProfile: ClientProfile,
  allowedOrigins: z.array(z.string()),
});
export type Endpoint = z.infer<typeof Endpoint>;
/** PATCH: what is left out stays; the profile is one whole, and so is the list of origins. */
export const EndpointChange = z.strictObject({
  clientProfile: ClientProfile.optional(),
  /** Whose pages may use this endpoint and those of single servers, with a token of their own; a browser's cookies never count. */
  allowedOrigins: z.array(WebOrigin).max(64).optional(),
});
export type EndpointChange = z.infer<typeof EndpointChange>;
