import { expect, test } from "vitest";

import { digest } from "./digest.ts";
import { find, wordsOf, type Entry } from "./search.ts";

const entry = (id: string, kind: string, label: string, context = ""): Entry => ({
  id,
  kind,
  label,
  context,
  words: wordsOf(`${label} ${context}`),
});

const ENTRIES = [
  entry(
    "sendMessage",
    "operation",
    "Send a message",
    "POST /api/chat/conversations/{id}/messages/",
  ),
  entry("frame.send", "frame", "send"),
  entry("frame.send.client_message_id", "field", "client_message_id", "send"),
  entry("frame.auth.expiring", "frame", "auth.expiring"),
  entry("error.not_member", "error code", "not_member", "403"),
  entry("close.4403", "close code", "4403", "not a member"),
];

const found = (query: string) => find(ENTRIES, query).map(({ id }) => id);

test("the name itself comes first, what belongs to it last", () => {
  expect(found("send")).toEqual(["frame.send", "sendMessage", "frame.send.client_message_id"]);
});

test("names are found by the beginning of each of their words", () => {
  expect(found("expir")).toEqual(["frame.auth.expiring"]);
  expect(found("message_id")).toEqual([]);
  expect(found("mess")).toEqual(["sendMessage", "frame.send.client_message_id"]);
  expect(found("client_mess")).toEqual(["frame.send.client_message_id"]);
});

test("codes are found by number and by words, paths by their parts", () => {
  expect(found("440")).toEqual(["close.4403"]);
  expect(found("member not")).toEqual(["error.not_member", "close.4403"]);
  expect(found("/api/chat/conv")).toEqual(["sendMessage"]);
  expect(found("post messages")).toEqual(["sendMessage"]);
});

test("nothing is asked, nothing is found", () => {
  expect(found("  ")).toEqual([]);
  expect(found("zebra")).toEqual([]);
});

test("the digest of documents does not depend on the order of their names", () => {
  expect(digest({ a: 1, b: [2] })).toBe(digest({ b: [2], a: 1 }));
  expect(digest({ a: 1 })).not.toBe(digest({ a: 2 }));
  expect(digest({ a: 1 }, {})).not.toBe(digest({}, { a: 1 }));
});
