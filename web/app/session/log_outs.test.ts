import { afterEach, expect, test, vi } from "vitest";

import { LogOuts } from "./log_outs.ts";

const tabs: LogOuts[] = [];
const open = () => (tabs.push(new LogOuts()), tabs.at(-1) as LogOuts);
afterEach(() => tabs.splice(0).forEach((tab) => tab.close()));

test("a log-out in one tab is known in all, until the user logs in again", async () => {
  const [one, two] = [open(), open()];
  one.add(7);
  expect(one.has(7)).toBe(true);
  await vi.waitFor(() => expect(two.has(7)).toBe(true));
  expect(two.has(8)).toBe(false);
  two.remove(7);
  expect([one.has(7), two.has(7)]).toEqual([true, false]);
});
