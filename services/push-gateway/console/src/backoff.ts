// How long the page waits before it opens a stream anew. Pure.

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/**
 * Milliseconds before attempt `attempt` (0 = the first): doubles up to 30 s, then takes a random half off, so that
 * many pages do not return at the same moment. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return ceiling * (1 - random / 2);
}
