import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { createFormat, daysBetween } from "./format.ts";
import { I18n, type Catalogues } from "./i18n.svelte.ts";
import { isLocaleTag, preferredLocale, regionalTag } from "./locales.ts";
import { pluralizer } from "./plural.ts";
import { pseudoCatalogue } from "./pseudo.ts";

const at = (text: string) => new Date(text);
const now = at("2026-03-12T14:30:00");

test("the reader's first known language is used", () => {
  expect(preferredLocale(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(preferredLocale(["en-GB", "de"])).toBe("en");
  expect(preferredLocale([])).toBe("en");
});

test("dates are those of the reader's region", () => {
  expect(regionalTag("en", ["de-AT", "en-GB", "en-US"])).toBe("en-GB");
  expect(regionalTag("en", ["de-AT", "en"])).toBe("en");
  const time = (tag: string) => createFormat(tag).short(at("2026-03-12T09:05:00"), now);
  expect([time("en-GB"), time("de-AT")]).toEqual(["09:05", "09:05"]);
});

test("the pseudo locale can be chosen, an unknown one cannot", () => {
  expect(isLocaleTag("ar-XB")).toBe(true);
  expect(isLocaleTag("fr")).toBe(false);
});

test("a plural has its number in the digits of the language", () => {
  const forms = { one: "# member", other: "# members" };
  expect(pluralizer("en")(1, forms)).toBe("1 member");
  expect(pluralizer("en")(1200, forms)).toBe("1,200 members");
  expect(pluralizer("de")(1200, forms)).toBe("1.200 members");
});

test("the pseudo catalogue reverses texts and what functions return", () => {
  const pseudo = pseudoCatalogue({ a: "abc", nested: { b: (n: number) => `${n} x` } });
  expect(pseudo.a).toBe("\u202eabc·\u202c");
  expect(pseudo.nested.b(3)).toBe("\u202e3 x·\u202c");
});

describe("the language", () => {
  type Texts = { readonly text: string; readonly more?: string };
  const root = { lang: "", dir: "" };
  beforeEach(() => {
    vi.stubGlobal("document", { documentElement: root });
    vi.stubGlobal("navigator", { languages: [] });
  });
  afterEach(() => void vi.unstubAllGlobals());

  /** Catalogues whose German is loaded when the test says so. */
  function setUp() {
    const loads: (() => void)[] = [];
    const catalogues = (more: Partial<Texts>): Catalogues<Texts> => ({
      english: { text: "English", ...more },
      load: {
        de: () => new Promise((done) => loads.push(() => done({ text: "Deutsch", ...more }))),
        "ar-XB": () => Promise.reject(new Error("not loaded")),
      },
    });
    return { i18n: new I18n<Texts>(catalogues({})), full: catalogues({ more: "x" }), loads };
  }

  test("is the one that was chosen last, however long an earlier one takes", async () => {
    const { i18n, loads } = setUp();
    const german = i18n.use("de");
    await i18n.use("en");
    loads[0]?.();
    await german;
    expect([i18n.entry.text, i18n.tag, root.lang]).toEqual(["English", "en", "en"]);
  });

  test("has all texts, also if it was chosen while they were loaded", async () => {
    const { i18n, full, loads } = setUp();
    const german = i18n.use("de");
    const complete = i18n.complete(full);
    loads[1]?.();
    await complete;
    loads[0]?.();
    await german;
    expect(i18n.t).toEqual({ text: "Deutsch", more: "x" });
    expect(i18n.tag).toBe("de");
  });

  test("stays as it is if another one cannot be loaded", async () => {
    const { i18n, full } = setUp();
    await expect(i18n.use("ar-XB")).rejects.toThrow();
    await i18n.complete(full);
    expect(i18n.t).toEqual({ text: "English", more: "x" });
  });
});

test("days are counted by the calendar, not by hours", () => {
  expect(daysBetween(at("2026-03-11T23:59:00"), at("2026-03-12T00:01:00"))).toBe(1);
  expect(daysBetween(at("2026-03-12T00:01:00"), at("2026-03-12T23:59:00"))).toBe(0);
});

test("days of 23 and 25 hours are days", () => {
  const { TZ } = process.env;
  process.env.TZ = "Europe/Berlin";
  try {
    const hours = (from: string, to: string) => (+at(to) - +at(from)) / 3_600_000;
    expect(hours("2026-03-29T00:00:00", "2026-03-30T00:00:00")).toBe(23);
    expect(daysBetween(at("2026-03-28T23:30:00"), at("2026-03-30T00:30:00"))).toBe(2);
    expect(daysBetween(at("2026-10-25T00:10:00"), at("2026-10-25T23:50:00"))).toBe(0);
    expect(daysBetween(at("2026-10-25T23:50:00"), at("2026-10-26T00:10:00"))).toBe(1);
  } finally {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  }
});

test.each([
  ["2026-03-12T14:29:40", "now"],
  ["2026-03-12T14:30:20", "now"],
  ["2026-03-12T14:25:00", "5m ago"],
  ["2026-03-12T09:05:00", "9:05 AM"],
  ["2026-03-11T23:00:00", "yesterday"],
  ["2026-03-09T10:00:00", "Mon"],
  ["2026-02-01T10:00:00", "Feb 1"],
  ["2025-12-24T10:00:00", "12/24/25"],
])("the row of a list shows %s as %s", (date, expected) => {
  expect(createFormat("en").short(at(date), now)).toBe(expected);
});

test.each([
  ["2026-03-12T01:00:00", "Today", "Heute"],
  ["2026-03-11T23:00:00", "Yesterday", "Gestern"],
  ["2026-03-09T10:00:00", "Monday", "Montag"],
  ["2026-02-01T10:00:00", "February 1", "1. Februar"],
  ["2025-12-24T10:00:00", "December 24, 2025", "24. Dezember 2025"],
])("the title of the day of %s is %s", (date, english, german) => {
  expect(createFormat("en").day(at(date), now)).toBe(english);
  expect(createFormat("de").day(at(date), now)).toBe(german);
});

test.each([
  [0, "0 seconds"],
  [900, "1 second"],
  [119_000, "119 seconds"],
  [121_000, "3 minutes"],
  [7_200_000, "2 hours"],
])("a wait of %i ms is %s", (ms, expected) => {
  expect(createFormat("en").duration(ms)).toBe(expected);
});
