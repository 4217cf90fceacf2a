// A conversation under fingers: a long press, a short one, and a scroll.
import type { Browser, CDPSession, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { chatting, ready, type Chatting } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  logIn,
  openPage,
  sendMessage,
} from "./harness.ts";

const PHONE = { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true };

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

type Point = { x: number; y: number };

const touch = (devtools: CDPSession, type: "touchStart" | "touchMove" | "touchEnd", at?: Point) =>
  devtools.send("Input.dispatchTouchEvent", { type, touchPoints: at ? [at] : [] });

async function centre(element: Locator): Promise<Point> {
  const box = await element.boundingBox();
  if (!box) throw new Error("not visible");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** The time of a long press passes on the page. There is no event to wait for. */
const longEnough = ({ page }: Chatting) =>
  page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 600)));

const menu = ({ page }: Chatting) => page.getByRole("menu", { name: "Actions" });

test("a long press opens the actions of a message; a short press and a scroll do not", async () => {
  const ann = await createAccount("ann");
  const bob = await createAccount("bob");
  const { id } = await createConversation(ann, [bob.id]);
  for (let n = 0; n < 20; n++) await sendMessage(bob, id, `Message ${n}`);
  await sendMessage(ann, id, "Mine");
  const watched = await openPage(browser, PHONE);
  await logIn(watched.page, ann.username);
  await watched.page.goto(`/#/c/${id}`);
  await ready(watched.page);
  const a = chatting(watched);
  const devtools = await a.page.context().newCDPSession(a.page);
  const bubble = a.row("Mine").locator(".bubble");
  await bubble.waitFor();

  await expect.poll(() => a.state("Mine")).toBe("Sent");
  await touch(devtools, "touchStart", await centre(bubble));
  await touch(devtools, "touchEnd");
  expect(await menu(a).isVisible()).toBe(false);

  await touch(devtools, "touchStart", await centre(bubble));
  await longEnough(a);
  // The actions open when the finger is lifted.
  await touch(devtools, "touchEnd");
  await menu(a).waitFor();
  expect(await menu(a).getByRole("menuitem").allTextContents()).toEqual(
    ["Reply", "Edit", "Copy text", "Delete"].map((label) => expect.stringContaining(label)),
  );
  await menu(a).getByRole("menuitem", { name: "Reply" }).tap();
  await a.page.getByText("Reply to").waitFor();
  // Enter breaks the line on a phone; the button sends.
  await a.composer.fill("An answer");
  await a.composer.press("Enter");
  expect(await a.composer.inputValue()).toBe("An answer\n");
  await a.page.getByRole("button", { name: "Send" }).tap();
  await expect.poll(() => a.state("An answer")).toBe("Sent");

  // A finger that moves scrolls, however long it rests afterwards.
  const from = await centre(a.row("Message 19"));
  await touch(devtools, "touchStart", from);
  for (let step = 1; step <= 6; step++) {
    await touch(devtools, "touchMove", { x: from.x, y: from.y + step * 12 });
  }
  await a.page.waitForFunction(() => {
    const scroller = document.querySelector(".scroller")!;
    return scroller.scrollTop + scroller.clientHeight < scroller.scrollHeight - 8;
  });
  await longEnough(a);
  await touch(devtools, "touchEnd");
  expect(await menu(a).isVisible()).toBe(false);
  expect(a.problems).toEqual([]);
  await a.close();
});
