import { SetMetadata } from '@nestjs/common';
import type { Permission } from './caller.ts';

/** What a route demands. Every route states one; a route without is refused to everyone. */
export type Requirement =
  | { readonly kind: 'public' }
  | { readonly kind: 'session' }
  | { readonly kind: 'permission'; readonly permission: Permission; readonly recentSignIn: boolean };

export const REQUIREMENT = 'patchbay:requirement';

/** The permission a route needs; `recentSignIn` also demands that a session was signed in within 15 minutes. */
export const Requires = (permission: Permission, { recentSignIn = false } = {}): MethodDecorator =>
  SetMetadata(REQUIREMENT, { kind: 'permission', permission, recentSignIn } satisfies Requirement);

/** Anyone who is signed in by cookie. */
export const RequiresSession = (): MethodDecorator => SetMetadata(REQUIREMENT, { kind: 'session' } satisfies Requirement);

/** Anyone at all. */
export const Public = (): MethodDecorator => SetMetadata(REQUIREMENT, { kind: 'public' } satisfies Requirement);
