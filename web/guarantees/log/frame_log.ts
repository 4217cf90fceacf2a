// The frame log: the newest entries of every line, in one order, and which of them are shown.
import { toEntry, type EntryGroup, type LogEntry, type NewEntry } from "./entries.ts";

const MOST_ENTRIES = 5_000;

export class FrameLog {
  #entries: LogEntry[] = [];
  #count = 0;

  constructor(readonly changed: () => void) {}

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }
  /** How many there were, those that were dropped included. */
  get count(): number {
    return this.#count;
  }

  add(who: string, entry: NewEntry): LogEntry {
    const added = toEntry(++this.#count, Date.now(), who, entry);
    this.#entries.push(added);
    // In steps, since moving the whole array for each entry would cost more than it is worth.
    if (this.#entries.length > MOST_ENTRIES * 1.1)
      this.#entries = this.#entries.slice(-MOST_ENTRIES);
    this.changed();
    return added;
  }

  clear(): void {
    this.#entries = [];
    this.changed();
  }
}

export interface LogFilter {
  /** Empty: everybody. */
  readonly who: string;
  readonly groups: ReadonlySet<EntryGroup>;
  /** A part of the title or the body, in any case. */
  readonly text: string;
}

export const matches = (entry: LogEntry, { who, groups, text }: LogFilter): boolean =>
  (who === "" || entry.who === who) &&
  groups.has(entry.group) &&
  (text === "" || contains(entry.title, text) || contains(entry.body ?? "", text));

/** The newest entries that match, oldest first. */
export function newest(
  entries: readonly LogEntry[],
  filter: LogFilter,
  count: number,
): readonly LogEntry[] {
  const found: LogEntry[] = [];
  for (let at = entries.length - 1; at >= 0 && found.length < count; at--) {
    const entry = entries[at];
    if (entry && matches(entry, filter)) found.push(entry);
  }
  return found.reverse();
}

const contains = (text: string, part: string): boolean =>
  text.toLowerCase().includes(part.toLowerCase());
