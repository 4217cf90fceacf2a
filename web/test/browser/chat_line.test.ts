// The chat while the line is bad: nothing that was written is lost, and nothing appears twice.
import { expect, test } from "vitest";

import {
  chatting,
  enterChat,
  openBetween,
  openChat,
  ready,
  type Chatting,
  type Fate,
} from "./chat_harness.ts";
import { SERVER, sendMessage, EVERY_HOST } from "./harness.ts";
import { ann, bob, browser, id, usePair } from "./pair.ts";

usePair("Line");

test("what is written on a half-open line arrives once when it is back", EVERY_HOST, async () => {
  const a = await openChat(browser, ann, id);
  const b = await openChat(browser, bob, id);
  // The socket of an open page stays open and silent.
  await a.page.context().setOffline(true);
  await a.write("from the tunnel");
  await expect.poll(() => a.state("from the tunnel")).toMatch(/Waiting to be sent|Sending/);
  await sendMessage(bob, id, "sent in between");
  await b.row("sent in between").waitFor();
  expect(await b.row("from the tunnel").count()).toBe(0);

  await a.page.context().setOffline(false);
  await b.row("from the tunnel").waitFor();
  await a.row("sent in between").waitFor();
  await expect.poll(() => a.state("from the tunnel")).toBe("Sent");
  expect(await a.texts()).toEqual(await b.texts());
  expect(await b.texts()).toHaveLength(2);
  await a.close();
  await b.close();
});

test("a message that waits survives a reload and is sent by itself", async () => {
  const fate: { current: Fate } = { current: "lose" };
  const a = await enterChat(await openBetween(browser, fate), ann, id);
  await a.write("before the reload");
  await expect.poll(() => a.state("before the reload")).not.toBeNull();
  await a.page.reload();
  await expect.poll(() => a.state("before the reload")).toMatch(/Waiting to be sent|Sending/);

  // Another tab, whose messages arrive. It takes over what the closed one has left.
  const page = await a.page.context().newPage();
  await a.page.close();
  await page.goto(`${SERVER}/#/c/${id}`);
  const again = chatting({ page, problems: [], close: () => page.close() });
  await expect.poll(() => again.state("before the reload")).toBe("Sent");
  const b = await openChat(browser, bob, id);
  await b.row("before the reload").waitFor();
  expect(await b.texts()).toEqual(["before the reload"]);
  await Promise.all([a.close(), b.close()]);
});

test("two tabs show the same, and each message once", EVERY_HOST, async () => {
  const a = await openChat(browser, ann, id);
  const page = await a.page.context().newPage();
  await page.goto(`${SERVER}/#/c/${id}`);
  await ready(page);
  const second = chatting({ page, problems: [], close: () => page.close() });
  await a.write("from the first tab");
  await second.row("from the first tab").waitFor();
  await second.write("from the second tab");
  await a.row("from the second tab").waitFor();
  await expect.poll(a.texts).toEqual(["from the first tab", "from the second tab"]);
  expect(await second.texts()).toEqual(await a.texts());
  await expect.poll(() => second.row("from the first tab").getAttribute("class")).toContain("own");
  expect(a.problems).toEqual([]);
  await a.close();
});

test("new messages are announced, and marked when the window was away", async () => {
  const a = await openChat(browser, ann, id);
  await a.composer.focus();
  await sendMessage(bob, id, "are you there?");
  await a.page
    .locator('[aria-live="polite"]', { hasText: "are you there?" })
    .waitFor({ state: "attached" });
  await a.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await sendMessage(bob, id, "hello?");
  await a.row("hello?").waitFor();
  await a.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await a.page.getByText("New", { exact: true }).waitFor();
  const rows = await a.page.locator("li[data-key]").allTextContents();
  expect(rows.findIndex((row) => row.trim() === "New")).toBe(1);
  await a.write("yes");
  await expect.poll(() => a.page.getByText("New", { exact: true }).count()).toBe(0);
  await a.close();
});

test("the end stays on the screen when the window becomes smaller below a banner", async () => {
  for (let n = 0; n < 12; n++)
    await sendMessage(bob, id, `Message ${n} ${"with words ".repeat(9)}`);
  const a = await openChat(browser, ann, id, { viewport: { width: 1280, height: 800 } });
  await a.row("Message 11").waitFor();
  await a.page.context().setOffline(true);
  await a.write("at the end");
  await a.page.getByText("Not connected.").waitFor();
  for (const [width, height] of [
    [320, 640],
    [320, 420],
    [1280, 800],
    [320, 640],
  ] as const) {
    await a.page.setViewportSize({ width, height });
    await a.page.emulateMedia({ colorScheme: width === 320 ? "dark" : "light" });
    await expect.poll(() => belowTheScreen(a)).toBeLessThanOrEqual(1);
  }
  await a.close();
});

/** How far the end of the timeline is below its lower edge, in pixels, when nothing moves any more. */
const belowTheScreen = ({ timeline }: Chatting): Promise<number> =>
  timeline.evaluate(async (scroller) => {
    for (let frame = 0; frame < 5; frame++)
      await new Promise((done) => requestAnimationFrame(done));
    return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  });
