// A device whose clock is wrong: what the server says about time counts.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { enterChat, openChat } from "./chat_harness.ts";
import { createAccount, createConversation, launch, openPage, sendMessage } from "./harness.ts";

const DAY_MS = 86_400_000;

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test.each([
  ["three days ahead", 3 * DAY_MS, /\d+ s behind this device/],
  ["three days behind", -3 * DAY_MS, /\d+ s ahead of this device/],
])("a clock that is %s changes neither order nor times, and is said", async (_, skew, said) => {
  const ann = await createAccount("ann");
  const bob = await createAccount("bob");
  const { id } = await createConversation(ann, [bob.id], "Clocks");
  await sendMessage(bob, id, "first");
  const watched = await openPage(browser, { timezoneId: "UTC" });
  await watched.page.clock.install({ time: Date.now() + skew });
  const a = await enterChat(watched, ann, id);
  const b = await openChat(browser, bob, id, { timezoneId: "UTC" });
  await a.write("second");
  await b.row("second").waitFor();
  await b.write("third");
  await a.row("third").waitFor();
  await expect.poll(() => a.state("second")).toBe("Sent");
  expect(await a.texts()).toEqual(["first", "second", "third"]);
  const times = (page: typeof a.page) =>
    page
      .locator("li[data-number] time")
      .evaluateAll((all) => all.map((time) => time.getAttribute("datetime")));
  await expect.poll(async () => (await times(a.page)).length).toBe(3);
  expect(await times(a.page)).toEqual(await times(b.page));
  // One day, and it is that of the server.
  expect(await a.page.locator("main h2").count()).toBe(1);

  await a.page.goto("/#/connection");
  await a.page.getByText(said).waitFor();
  expect(a.problems).toEqual([]);
  await Promise.all([a.close(), b.close()]);
});
