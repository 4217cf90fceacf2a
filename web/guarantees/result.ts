// Results of the SDK as exceptions, for what a person can only read: a start or an experiment that failed.
import type { ChatError, Result } from "@colloquy/sdk";

export class Refused extends Error {
  constructor(readonly error: ChatError) {
    super(error.message);
  }
}

/** The value; what went wrong is thrown. */
export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Refused(result.error);
  return result.value;
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
