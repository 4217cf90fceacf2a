// Seeded randomness, so that a seed names a whole plan. Not for keys.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.between(0, items.length - 1)] ?? items[0];
  }
}

export const newSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;

/** A seed as an address has it: up to eight hexadecimal digits. */
export const seedText = (seed: number): string => seed.toString(16).padStart(8, "0");

/** The seed of an address such as `#/seed/1f3a9c02`; `null` if it names none. */
export function seedOf(hash: string): number | null {
  const digits = /^#\/seed\/([0-9a-f]{1,8})$/i.exec(hash)?.[1];
  return digits === undefined ? null : parseInt(digits, 16);
}
