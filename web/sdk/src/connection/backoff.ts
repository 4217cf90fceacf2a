/** Waiting times between attempts. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * The wait before the next attempt to connect: exponential, with the upper half random, so that
 * clients that lost a server together do not return together.
 */
export const reconnectDelay = (attempt: number, random: () => number): number =>
  backoff(attempt, FIRST_MS, LONGEST_MS, random);

/** The wait before an item is sent again that the server could not store: 1 s to 30 s. */
export const resendDelay = (attempt: number, random: () => number): number =>
  backoff(attempt, 2_000, 30_000, random);

/** `min(longest, first · 2^attempt)`, of which the upper half is random. */
function backoff(attempt: number, first: number, longest: number, random: () => number): number {
  return Math.min(longest, first * 2 ** Math.min(attempt, 16)) * (0.5 + random() / 2);
}
