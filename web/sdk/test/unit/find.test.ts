import { expect, test } from "vitest";

import { fail, ok } from "../../src/result.js";
import { findById } from "../../src/timeline/find.js";
import type { Message } from "../../src/wire/api.js";

/** A history whose ids have gaps, and pages of a hundred as the server reads them. */
function history(count: number) {
  const messages = Array.from({ length: count }, (_, at) => {
    const number = at + 1;
    return { id: number * 7 + (number % 5), number } as Message;
  });
  let pages = 0;
  const read = async (around: number) => {
    pages++;
    const from = Math.max(0, Math.min(around - 51, count - 100));
    return ok(messages.slice(from, from + 100));
  };
  return { messages, read, pages: () => pages };
}

test.each([
  [10_000, 10_000, 1],
  [10_000, 9_700, 4],
  [10_000, 5_000, 12],
  [10_000, 1, 12],
  [40, 3, 1],
])("of %i messages, number %i is found in at most %i pages", async (count, number, most) => {
  const { messages, read, pages } = history(count);
  const wanted = messages[number - 1];
  expect(await findById(wanted?.id ?? 0, count, read)).toEqual(ok(wanted));
  expect(pages()).toBeLessThanOrEqual(most);
});

test("an id that no message has is not found", async () => {
  const { messages, read } = history(10_000);
  const between = (messages[4_000]?.id ?? 0) + 1;
  for (const id of [0, between, 1_000_000]) {
    expect(await findById(id, 10_000, read)).toEqual(ok(null));
  }
  expect(await findById(5, 0, read)).toEqual(ok(null));
});

test("a page that cannot be read is reported", async () => {
  const failure = fail("network", "No answer.");
  expect(await findById(1, 10, async () => failure)).toEqual(failure);
});
