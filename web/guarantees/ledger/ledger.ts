// The ledger: compares what was accepted for sending with what the server has stored and with what each
// phone shows. Pure: it is given all three and trusts none of them.

/** A message as the server returns it or a phone shows it. */
export interface Row {
  readonly seq: number;
  readonly id: number;
  readonly number: number;
  readonly version: number;
  /** Empty after the message was deleted. */
  readonly text: string;
}

/** A message that an outbox, or a request, has taken over. */
export interface Accepted {
  readonly text: string;
  readonly state: "waiting" | "acknowledged" | "refused";
}

export interface PhoneReport {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Messages the phone knows to exist and does not show. */
  readonly missing: number;
  /** The phone says that it is complete: connected, nothing on its way. */
  readonly complete: boolean;
  /** The position at which its user was removed; `null` for a member. */
  readonly removedAt: number | null;
}

export interface LedgerInput {
  readonly accepted: readonly Accepted[];
  /** The first text of messages that were edited or deleted, by id. */
  readonly originals: ReadonlyMap<number, string>;
  /** The whole history over REST, in its order. */
  readonly stored: readonly Row[];
  readonly phones: readonly PhoneReport[];
}

/** The first place where a phone and the server differ. */
export interface Difference {
  readonly phone: string;
  /** What the server has there; `null` if it has nothing. */
  readonly stored: Row | null;
  /** What the phone shows there; `null` if it shows nothing. */
  readonly shown: Row | null;
}

export interface Ledger {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly waiting: number;
  readonly stored: number;
  readonly shown: readonly { readonly name: string; readonly count: number }[];
  /** Texts that are stored more often than they were accepted. */
  readonly duplicates: readonly string[];
  /** Texts that were acknowledged more often than they are stored. */
  readonly lost: readonly string[];
  /** Missing numbers, on the server and on phones that say they are complete. */
  readonly gaps: number;
  /** Rows on a phone from after its user was removed. */
  readonly afterRemoval: number;
  readonly difference: Difference | null;
}

export function compare(input: LedgerInput): Ledger {
  const { accepted, stored, phones } = input;
  const count = (state: Accepted["state"]): number =>
    accepted.filter((message) => message.state === state).length;
  const storedTexts = tally(stored.map((row) => input.originals.get(row.id) ?? row.text));
  const all = tally(accepted.map(({ text }) => text));
  const acknowledged = tally(
    accepted.filter(({ state }) => state === "acknowledged").map(({ text }) => text),
  );
  return {
    accepted: accepted.length,
    acknowledged: count("acknowledged"),
    refused: count("refused"),
    waiting: count("waiting"),
    stored: stored.length,
    shown: phones.map(({ name, rows }) => ({ name, count: rows.length })),
    duplicates: surplus(storedTexts, all),
    lost: surplus(acknowledged, storedTexts),
    gaps: gapsOf(stored) + sum(phones.map((phone) => (phone.complete ? phone.missing : 0))),
    afterRemoval: sum(phones.map(rowsAfterRemoval)),
    difference: firstDifference(stored, phones),
  };
}

/** Whether something is wrong that no waiting can mend. */
export const isBroken = ({ duplicates, afterRemoval }: Ledger): boolean =>
  duplicates.length + afterRemoval > 0;

/**
 * Whether all counters agree and every complete phone shows what is stored. Asked only when nothing is on
 * its way: a history that was read before an acknowledgement arrived does not have its message.
 */
export const isEqual = (ledger: Ledger): boolean =>
  !isBroken(ledger) &&
  ledger.lost.length + ledger.gaps + ledger.waiting === 0 &&
  ledger.difference === null &&
  ledger.stored === ledger.acknowledged &&
  ledger.accepted === ledger.acknowledged + ledger.refused;

/** The rows in the form whose digest is compared: position, id, version and text. */
export const canonical = (rows: readonly Row[]): string =>
  rows
    .map(({ seq, id, version, text }) => `${JSON.stringify([seq, id, version, text])}\n`)
    .join("");

function firstDifference(
  stored: readonly Row[],
  phones: readonly PhoneReport[],
): Difference | null {
  for (const { name, rows, complete, removedAt } of phones) {
    if (!complete || removedAt !== null) continue;
    const length = Math.max(rows.length, stored.length);
    for (let at = 0; at < length; at++) {
      const [ours, theirs] = [stored[at] ?? null, rows[at] ?? null];
      if (same(ours, theirs)) continue;
      return { phone: name, stored: ours, shown: theirs };
    }
  }
  return null;
}

const same = (a: Row | null, b: Row | null): boolean =>
  a?.seq === b?.seq && a?.id === b?.id && a?.version === b?.version && a?.text === b?.text;

/** How many numbers are skipped or out of order. Numbers are dense and start at 1. */
const gapsOf = (rows: readonly Row[]): number =>
  rows.filter((row, at) => row.number !== (rows[at - 1]?.number ?? 0) + 1).length;

const rowsAfterRemoval = ({ rows, removedAt }: PhoneReport): number =>
  removedAt === null ? 0 : rows.filter((row) => row.seq > removedAt).length;

function tally(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** The texts of which `a` has more than `b`. */
const surplus = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string[] =>
  [...a].filter(([text, count]) => count > (b.get(text) ?? 0)).map(([text]) => text);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
