/** What a case expects. Throws `CheckFailed`, in every runtime: a page has no test framework. */
import type { Readable, Result } from "../../../src/index.js";

export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
}

export function check(condition: boolean, expected: string): void {
  if (!condition) throw new CheckFailed(`expected ${expected}`);
}

/** Both are plain data. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(found === wanted, `${what} to be ${wanted}, found ${found}`);
}

/** The value of a success. */
export function succeeded<T>(result: Result<T>, what: string): T {
  if (result.ok) return result.value;
  throw new CheckFailed(`expected ${what} to succeed, found ${result.error.code}`);
}

export function failed<T>(result: Result<T>, code: string, what: string): void {
  equal(result.ok ? "success" : result.error.code, code, what);
}

/** Resolves with the first value that satisfies `done`. The case ends by its timeout otherwise. */
export function until<T>(readable: Readable<T>, done: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    let stop: (() => void) | null = null;
    let found = false;
    stop = readable.subscribe((value) => {
      if (found || !done(value)) return;
      found = true;
      stop?.();
      resolve(value);
    });
    if (found) stop();
  });
}
