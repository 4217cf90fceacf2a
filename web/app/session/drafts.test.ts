import type { ChatStorage, StorageChange } from "@colloquy/sdk";
import { afterEach, expect, test, vi } from "vitest";

import { Drafts, type DraftMap } from "./drafts.ts";

const opened: Drafts[] = [];
afterEach(() => opened.splice(0).forEach((drafts) => drafts.close()));

/** The drafts of one tab. */
function open(storage: ChatStorage, userId = 1): Drafts {
  const drafts = new Drafts(storage, userId);
  opened.push(drafts);
  return drafts;
}

function memory(initial: Record<string, unknown> = {}) {
  const entries = new Map(Object.entries(initial));
  const storage: ChatStorage = {
    get: async (key) => entries.get(key),
    list: async (prefix) => [...entries].filter(([key]) => key.startsWith(prefix)),
    write: async (changes: readonly StorageChange[]) => {
      for (const { key, value } of changes) {
        if (value === undefined) entries.delete(key);
        else entries.set(key, value);
      }
    },
  };
  return { entries, storage };
}

test("a draft survives a reload and belongs to its user", async () => {
  const { storage } = memory();
  await open(storage).save(7, { text: "Hello", replyTo: 3 });

  const again = open(storage);
  await again.load();
  expect(again.get(7)).toEqual({ text: "Hello", replyTo: 3 });

  const other = open(storage, 2);
  await other.load();
  expect(other.get(7)).toBeUndefined();
});

test("an empty draft is removed, also from storage", async () => {
  const { entries, storage } = memory();
  const drafts = open(storage);
  await drafts.save(7, { text: "Hello", replyTo: null });
  await drafts.save(7, { text: "", replyTo: null });
  expect(drafts.get(7)).toBeUndefined();
  expect(entries.size).toBe(0);
});

test("what is written before storage is read wins, and unreadable entries are ignored", async () => {
  const { storage } = memory({
    "user/1/draft/7": { text: "old", replyTo: null },
    "user/1/draft/8": "broken",
    "user/1/draft/9": { text: "", replyTo: null, edit: "broken" },
  });
  const drafts = open(storage);
  await drafts.save(7, { text: "new", replyTo: null });
  await drafts.load();
  expect(drafts.get(7)?.text).toBe("new");
  expect([drafts.get(8), drafts.get(9)]).toEqual([undefined, undefined]);
});

test("subscribers see every change, and a storage that fails loses no draft of this page", async () => {
  const failing: ChatStorage = {
    get: () => Promise.reject(new Error("closed")),
    list: () => Promise.reject(new Error("closed")),
    write: () => Promise.reject(new Error("closed")),
  };
  const drafts = open(failing);
  const seen: DraftMap[] = [];
  drafts.subscribe((value) => seen.push(value));
  await drafts.load();
  await drafts.save(7, { text: "Hello", replyTo: null });
  expect(seen.at(-1)?.get(7)?.text).toBe("Hello");
});

test("a draft that was sent while storage was read does not return", async () => {
  const { storage } = memory({ "user/1/draft/7": { text: "sent", replyTo: null } });
  const drafts = open(storage);
  const loaded = drafts.load();
  await drafts.save(7, { text: "", replyTo: null });
  await loaded;
  expect(drafts.get(7)).toBeUndefined();
});

test("a draft that is written or sent in one tab is so in all tabs of its user", async () => {
  const { storage } = memory();
  const [one, two, other] = [open(storage), open(storage), open(storage, 2)];
  await one.save(7, { text: "Hello", replyTo: 3 });
  await vi.waitFor(() => expect(two.get(7)).toEqual({ text: "Hello", replyTo: 3 }));
  await two.save(7, { text: "", replyTo: null });
  await vi.waitFor(() => expect(one.get(7)).toBeUndefined());
  expect(other.get(7)).toBeUndefined();
});

test("what is written while the draft of another tab is read wins", async () => {
  const { storage } = memory();
  let answer = (): void => undefined;
  const slow = { ...storage, get: () => new Promise((done) => (answer = () => done(null))) };
  const read = vi.spyOn(slow, "get");
  const [one, two] = [open(storage), open(slow)];
  await one.save(7, { text: "one", replyTo: null });
  await vi.waitFor(() => expect(read).toHaveBeenCalled());
  const saved = two.save(7, { text: "two", replyTo: null });
  answer();
  await saved;
  expect(two.get(7)?.text).toBe("two");
});
