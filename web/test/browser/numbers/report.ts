// The numbers that the client is held to: every row has a limit, is printed, and is written as JSON to the
// file that NUMBERS names.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "vitest";

/**
 * Times depend on the machine and on what else it does, and memory on the engine: their rows fail only
 * beyond this multiple. Above the limit itself they are marked in the table.
 */
const SLACK = 2;

interface Row {
  readonly row: string;
  readonly measured: number;
  readonly limit: number;
  readonly unit: string;
  /** What the median was taken of. */
  readonly samples?: readonly number[];
}

export class Report {
  readonly #rows: Row[] = [];

  /** Records the median of several measurements of a time or of memory. */
  median(row: string, limit: number, samples: readonly number[], unit = "ms"): void {
    const rounded = samples.map(round);
    this.#rows.push({ row, measured: median(rounded), limit, unit, samples: rounded });
    expect.soft(median(samples), row).toBeLessThanOrEqual(limit * SLACK);
  }

  /** Records what does not depend on the machine. */
  exact(row: string, limit: number, measured: number, unit = ""): void {
    this.#rows.push({ row, measured: round(measured), limit, unit });
    expect.soft(measured, row).toBeLessThanOrEqual(limit);
  }

  finish(): void {
    console.log(this.#table());
    const file = process.env["NUMBERS"];
    if (!file) return;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(this.#rows, null, 2)}\n`);
  }

  #table(): string {
    const width = Math.max(...this.#rows.map(({ row }) => row.length));
    const lines = this.#rows.map(({ row, measured, limit, unit }) => {
      const over = measured > limit ? "  over the limit" : "";
      return `${row.padEnd(width)}  ${String(measured).padStart(8)}  ${String(limit).padStart(6)} ${unit}${over}`;
    });
    return [
      `${"row".padEnd(width)}  ${"measured".padStart(8)}  ${"limit".padStart(6)}`,
      ...lines,
    ].join("\n");
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The smallest value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
