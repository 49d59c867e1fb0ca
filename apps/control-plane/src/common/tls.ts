import { Server } from 'node:https';
import type { CertificateLog, Listener } from '@patchbay/listening';
import type { FastifyInstance } from 'fastify';

/** The options by which Fastify speaks TLS on this listener; none where it speaks plain HTTP. */
export function tlsOf({ certificate }: Listener): object {
  return certificate === null ? {} : { https: certificate.tlsOptions };
}

/** Keeps what it presents in step with the certificate's files. */
export function presentCertificate({ server }: FastifyInstance, { certificate }: Listener, log: CertificateLog): void {
  if (server instanceof Server) certificate?.presentOn(server, log);
}
