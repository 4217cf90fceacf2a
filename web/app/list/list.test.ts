import type { ConversationSummary, Message } from "@colloquy/sdk";
import { expect, test } from "vitest";

import { en } from "../i18n/en.ts";
import { keepOrder, matches } from "./order.ts";
import { previewOf } from "./preview.ts";

const user = (id: number, username: string) => ({
  id,
  username,
  email: "",
  first_name: "",
  last_name: "",
});

function conversation(id: number, more: Partial<ConversationSummary> = {}): ConversationSummary {
  return {
    id,
    kind: "group",
    name: `c${id}`,
    participants: [user(1, "me"), user(2, "ann")],
    member_count: 2,
    created_at: "2026-01-01T00:00:00Z",
    active_at: "2026-01-01T00:00:00Z",
    seq: 0,
    number: 0,
    ...more,
  };
}

const message = (sender_id: number, content: string): Message => ({
  id: 1,
  sender_id,
  sender: "ann",
  content,
  timestamp: "2026-01-01T00:00:00Z",
  seq: 1,
  number: 1,
  version: 1,
});

const preview = (more: Partial<ConversationSummary>, draft?: string) =>
  previewOf(conversation(1, more), 1, draft, en.list);

test("a row shows who wrote the last message", () => {
  expect(preview({ last_message: message(2, "Hi\n there") }).text).toBe(
    "\u2068ann\u2069: Hi there",
  );
  expect(preview({ last_message: message(1, "Hi") }).text).toBe("You: Hi");
  expect(preview({ kind: "direct", last_message: message(2, "Hi") }).text).toBe("Hi");
});

test("a draft is shown before the last message, but not an empty one", () => {
  expect(preview({ last_message: message(2, "Hi") }, "Hello")).toEqual({
    kind: "draft",
    text: "Hello",
  });
  expect(preview({ last_message: message(2, "Hi") }, "  ").kind).toBe("message");
});

test("a long message is not cut within an emoji", () => {
  const text = `${"a".repeat(158)}👩‍👩‍👧`;
  expect(preview({ kind: "direct", last_message: message(2, text) }).text).toBe("a".repeat(158));
});

test("a deleted message and an empty conversation say so", () => {
  expect(preview({ last_message: message(2, "") })).toEqual({
    kind: "deleted",
    text: "Message deleted",
  });
  expect(preview({})).toEqual({ kind: "none", text: "No messages yet" });
});

test("while the list must not move, rows keep their places and new ones come last", () => {
  const now = [conversation(9), conversation(3), conversation(1), conversation(2)];
  expect(keepOrder(now, [1, 2, 3, 4]).map(({ id }) => id)).toEqual([1, 2, 3, 9]);
});

test("a search matches the beginnings of words, without case and accents", () => {
  expect(matches("emi zo", ["Émile Zola"])).toBe(true);
  expect(matches("ola", ["Émile Zola"])).toBe(false);
  expect(matches("", ["Anything"])).toBe(true);
  expect(matches("zola team", ["Team", "Zola"])).toBe(true);
});
