// What can be told of a key or a token by looking at it, and when a ticket is to be renewed. Pure.

/** A ticket is renewed when this share of its life is over, so that a failed try leaves time for others. */
const RENEW_AT_SHARE = 0.75;
/** `setTimeout` counts milliseconds in 31 bits. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** When a JWT ends, milliseconds since the epoch; undefined for an API key, which does not say. */
export function tokenEndMs(credential: string): number | undefined {
  const parts = credential.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const json = atob((parts[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const { exp } = JSON.parse(json) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** How long to wait before a ticket that is good for `expiresInS` seconds is renewed, milliseconds. */
export function renewAfterMs(expiresInS: number): number {
  return Math.min(Math.max(1, expiresInS * RENEW_AT_SHARE) * 1000, TIMER_MAX_MS);
}
