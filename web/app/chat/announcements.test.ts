import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Announcements, type Verbosity } from "./announcements.ts";

let said: string[];
let verbosity: Verbosity;
let announcements: Announcements;

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  verbosity = "all";
  const texts = {
    message: (sender: string, text: string) => `${sender}: ${text}`,
    from: (sender: string) => `Message from ${sender}`,
    several: (count: number) => `${count} new messages`,
  };
  announcements = new Announcements(
    (text) => said.push(text),
    () => texts,
    () => verbosity,
  );
});

afterEach(() => vi.useRealTimers());

const add = (text: string) => announcements.add({ sender: "Ann", text });

test("one message is read, a burst is counted, at most one sentence in two seconds", () => {
  add("one");
  add("two");
  add("three");
  expect(said).toEqual(["Ann: one"]);
  vi.advanceTimersByTime(2_000);
  expect(said).toEqual(["Ann: one", "2 new messages"]);
  add("four");
  vi.advanceTimersByTime(2_000);
  expect(said.slice(2)).toEqual(["Ann: four"]);
  vi.advanceTimersByTime(2_000);
  add("five");
  expect(said.slice(3)).toEqual(["Ann: five"]);
});

test("the setting leaves out texts, or everything", () => {
  verbosity = "names";
  add("secret");
  expect(said).toEqual(["Message from Ann"]);
  announcements.stop();
  verbosity = "off";
  add("more");
  vi.advanceTimersByTime(10_000);
  expect(said).toHaveLength(1);
});
