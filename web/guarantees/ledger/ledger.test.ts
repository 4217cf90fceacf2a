import { expect, test } from "vitest";

import { digestOf } from "./digest.ts";
import {
  compare,
  isBroken,
  isEqual,
  type LedgerInput,
  type PhoneReport,
  type Row,
} from "./ledger.ts";

const row = (number: number, text = `m${number}`, more: Partial<Row> = {}): Row => ({
  seq: number,
  id: 100 + number,
  number,
  version: 1,
  text,
  ...more,
});

const phone = (
  name: string,
  rows: readonly Row[],
  more: Partial<PhoneReport> = {},
): PhoneReport => ({
  name,
  rows,
  missing: 0,
  complete: true,
  removedAt: null,
  ...more,
});

const acknowledged = (...texts: string[]) =>
  texts.map((text) => ({ text, state: "acknowledged" as const }));

/** Three messages that everybody has. */
function agreed(more: Partial<LedgerInput> = {}): LedgerInput {
  const rows = [row(1), row(2), row(3)];
  return {
    accepted: acknowledged("m1", "m2", "m3"),
    originals: new Map(),
    stored: rows,
    phones: [phone("Ann", rows), phone("Ben", rows)],
    ...more,
  };
}

test("what is stored once and shown everywhere in one order is equal", () => {
  const ledger = compare(agreed());
  expect(isEqual(ledger)).toBe(true);
  expect(ledger).toMatchObject({ accepted: 3, acknowledged: 3, stored: 3, waiting: 0 });
  expect(ledger.shown.map(({ count }) => count)).toEqual([3, 3]);
});

test("a message that is stored twice is a duplicate, whatever ids it has", () => {
  const rows = [row(1), row(2), row(3), row(4, "m2")];
  const ledger = compare(agreed({ stored: rows, phones: [phone("Ann", rows)] }));
  expect(ledger.duplicates).toEqual(["m2"]);
  expect(isBroken(ledger)).toBe(true);
});

test("a text that was accepted twice may be stored twice", () => {
  const rows = [row(1, "hi"), row(2, "hi")];
  const accepted = acknowledged("hi", "hi");
  expect(isEqual(compare(agreed({ accepted, stored: rows, phones: [phone("Ann", rows)] })))).toBe(
    true,
  );
});

test("an acknowledged message that is not stored is lost", () => {
  const ledger = compare(agreed({ accepted: acknowledged("m1", "m2", "m3", "m4") }));
  expect(ledger.lost).toEqual(["m4"]);
  expect(isEqual(ledger)).toBe(false);
});

test("an edited or deleted message is neither lost nor a duplicate", () => {
  const rows = [row(1, "other", { version: 2 }), row(2, "", { version: 2 }), row(3)];
  const originals = new Map([
    [101, "m1"],
    [102, "m2"],
  ]);
  expect(isEqual(compare(agreed({ stored: rows, originals, phones: [phone("Ann", rows)] })))).toBe(
    true,
  );
});

test.each([
  ["an older version", [row(1), row(2, "old"), row(3)]],
  ["a message less", [row(1), row(3)]],
  ["another order", [row(2), row(1), row(3)]],
])("a phone with %s is different, and the first difference is named", (_, shown) => {
  const stored = [row(1), row(2, "m2", { version: 2 }), row(3)];
  const ledger = compare(agreed({ stored, phones: [phone("Ann", stored), phone("Ben", shown)] }));
  expect(isEqual(ledger)).toBe(false);
  const at = shown.findIndex((shownRow, n) => shownRow !== stored[n] && shownRow.id !== 101);
  expect(ledger.difference?.phone).toBe("Ben");
  expect(ledger.difference?.shown).toEqual(shown[shown[0]?.id === 102 ? 0 : at]);
});

test("numbers that are missing or out of order are gaps", () => {
  expect(compare(agreed({ stored: [row(1), row(3)] })).gaps).toBe(1);
  expect(compare(agreed({ stored: [row(2), row(3)] })).gaps).toBe(1);
  const incomplete = phone("Ben", [row(1)], { missing: 2 });
  expect(compare(agreed({ phones: [incomplete] })).gaps).toBe(2);
  expect(compare(agreed({ phones: [{ ...incomplete, complete: false }] })).gaps).toBe(0);
});

test("a phone that is not complete is not compared, and waiting messages are not equal", () => {
  const behind = phone("Ben", [row(1)], { complete: false });
  expect(compare(agreed({ phones: [behind] })).difference).toBeNull();
  const accepted = [...acknowledged("m1", "m2", "m3"), { text: "m4", state: "waiting" as const }];
  expect(isEqual(compare(agreed({ accepted })))).toBe(false);
});

test("a removed phone may lack what came later and must not show it", () => {
  const before = phone("Ben", [row(1)], { removedAt: 1 });
  expect(compare(agreed({ phones: [before] })).difference).toBeNull();
  const after = phone("Ben", [row(1), row(2)], { removedAt: 1 });
  expect(compare(agreed({ phones: [after] })).afterRemoval).toBe(1);
});

test("a refused message is counted and need not be stored", () => {
  const accepted = [...acknowledged("m1", "m2", "m3"), { text: "m4", state: "refused" as const }];
  const ledger = compare(agreed({ accepted }));
  expect(ledger.refused).toBe(1);
  expect(isEqual(ledger)).toBe(true);
});

test("the digest depends on position, id, version, text and order", async () => {
  const rows = [row(1), row(2)];
  const digest = await digestOf(rows);
  expect(await digestOf([row(1), row(2)])).toBe(digest);
  const others = [
    [row(2), row(1)],
    [row(1)],
    [row(1), row(2, "m2", { version: 2 })],
    [row(1), row(2, "m2", { id: 7 })],
    [row(1), row(2, "m2", { seq: 9 })],
    [row(1), row(2, "x")],
  ];
  for (const other of others) expect(await digestOf(other)).not.toBe(digest);
});
