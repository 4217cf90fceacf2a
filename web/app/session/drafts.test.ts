import type { ChatStorage, StorageChange } from "@colloquy/sdk";
import { expect, test } from "vitest";

import { Drafts, type DraftMap } from "./drafts.ts";

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
  await new Drafts(storage, 1).save(7, { text: "Hello", replyTo: 3 });

  const again = new Drafts(storage, 1);
  await again.load();
  expect(again.get(7)).toEqual({ text: "Hello", replyTo: 3 });

  const other = new Drafts(storage, 2);
  await other.load();
  expect(other.get(7)).toBeUndefined();
});

test("an empty draft is removed, also from storage", async () => {
  const { entries, storage } = memory();
  const drafts = new Drafts(storage, 1);
  await drafts.save(7, { text: "Hello", replyTo: null });
  await drafts.save(7, { text: "", replyTo: null });
  expect(drafts.get(7)).toBeUndefined();
  expect(entries.size).toBe(0);
});

test("what is written before storage is read wins, and unreadable entries are ignored", async () => {
  const { storage } = memory({
    "user/1/draft/7": { text: "old", replyTo: null },
    "user/1/draft/8": "broken",
  });
  const drafts = new Drafts(storage, 1);
  await drafts.save(7, { text: "new", replyTo: null });
  await drafts.load();
  expect(drafts.get(7)?.text).toBe("new");
  expect(drafts.get(8)).toBeUndefined();
});

test("subscribers see every change, and a storage that fails loses no draft of this page", async () => {
  const failing: ChatStorage = {
    get: () => Promise.reject(new Error("closed")),
    list: () => Promise.reject(new Error("closed")),
    write: () => Promise.reject(new Error("closed")),
  };
  const drafts = new Drafts(failing, 1);
  const seen: DraftMap[] = [];
  drafts.subscribe((value) => seen.push(value));
  await drafts.load();
  await drafts.save(7, { text: "Hello", replyTo: null });
  expect(seen.at(-1)?.get(7)?.text).toBe("Hello");
});

test("a draft that was sent while storage was read does not return", async () => {
  const { storage } = memory({ "user/1/draft/7": { text: "sent", replyTo: null } });
  const drafts = new Drafts(storage, 1);
  const loaded = drafts.load();
  await drafts.save(7, { text: "", replyTo: null });
  await loaded;
  expect(drafts.get(7)).toBeUndefined();
});
