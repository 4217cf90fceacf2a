import { expect, test } from "vitest";

import { toEntry, type NewEntry } from "./entries.ts";
import { toCommand, toNdjson } from "./export.ts";
import { FrameLog, newest } from "./frame_log.ts";
import { withoutSecrets } from "./secrets.ts";

const entry = (added: NewEntry) => toEntry(1, 0, "Ann", added);
const frame = (text: string, direction: "out" | "in" = "out") =>
  entry({ kind: "frame", direction, text, fate: null });
const target = { origin: "https://chat.example.com", conversationId: 5 };

test.each([
  ['{"type":"auth","token":"secret"}', '{"type":"auth","token":"<token>"}'],
  [
    '{"refresh":"r","access":"a","user":{"email":"e@x.org","id":1}}',
    '{"refresh":"<token>","access":"<token>","user":{"email":"<e-mail>","id":1}}',
  ],
  ['{"username":"u","password":"p"}', '{"username":"u","password":"<password>"}'],
  ['[{"type":"auth","token":"s"}]', '[{"type":"auth","token":"<token>"}]'],
  ["token=abc", "(9 characters that are not JSON)"],
])("secrets are replaced before an entry is kept: %s", (text, kept) => {
  expect(withoutSecrets(text)).toBe(kept);
  expect(frame(text).body).toBe(kept);
  const url = "https://chat.example.com/api/users/login/";
  expect(entry({ kind: "request", method: "POST", url, body: text, fate: null }).body).toBe(kept);
});

test("a frame is named by its types", () => {
  expect(frame('{"type":"send"}').title).toBe("send");
  expect(frame('[{"type":"send"},{"type":"send"}]')).toMatchObject({
    title: "send ×2",
    group: "send",
  });
  expect(frame('{"type":"ping"}').group).toBe("heartbeat");
  expect(frame("garbage", "in").title).toBe("unreadable");
});

test("a sent frame is copied as wscat, with a placeholder for the token", () => {
  expect(toCommand(frame(`{"type":"send","message":"it's"}`), target)).toBe(
    `wscat -c 'wss://chat.example.com/ws/chat/5/' -s chat.v2 -H "Authorization: Bearer $TOKEN" ` +
      `-w 2 -x '{"type":"send","message":"it'\\''s"}'`,
  );
});

test("a request is copied as curl, and what was received as it is", () => {
  const url = "https://chat.example.com/api/chat/conversations/5/messages/?limit=2";
  const request = entry({
    kind: "request",
    method: "POST",
    url,
    body: '{"message":"x"}',
    fate: null,
  });
  expect(toCommand(request, target)).toBe(
    `curl -sS -X POST '${url}' -H "Authorization: Bearer $TOKEN" ` +
      `-H 'Content-Type: application/json' -d '{"message":"x"}'`,
  );
  expect(toCommand(frame('{"type":"ack"}', "in"), target)).toBe('{"type":"ack"}');
});

test("the download has one JSON object a line", () => {
  const lines = toNdjson([
    frame('{"type":"ack","seq":1}', "in"),
    entry({ kind: "fault", name: "silenced" }),
  ]);
  const [first, second] = lines
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(first).toMatchObject({
    at: "1970-01-01T00:00:00.000Z",
    who: "Ann",
    body: { type: "ack", seq: 1 },
  });
  expect(second).toMatchObject({ group: "fault", title: "silenced" });
});

test("the log keeps the newest entries and finds them by line, kind and text", () => {
  const log = new FrameLog(() => undefined);
  for (let n = 0; n < 6_000; n++) {
    log.add(n % 2 ? "Ann" : "Ben", {
      kind: "frame",
      direction: "in",
      text: `{"type":"ack","seq":${n}}`,
      fate: null,
    });
  }
  expect(log.count).toBe(6_000);
  expect(log.entries.length).toBeLessThanOrEqual(5_500);
  const all = { who: "Ann", groups: new Set(["send"] as const), text: "SEQ" };
  expect(newest(log.entries, all, 2).map(({ n }) => n)).toEqual([5_998, 6_000]);
  expect(newest(log.entries, { ...all, groups: new Set() }, 2)).toEqual([]);
  expect(newest(log.entries, { ...all, text: "nowhere" }, 2)).toEqual([]);
});
