// What is loaded after the first screen: it opens while the line is down, and what could not be loaded is loaded
// later.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { enterChat, openChat } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  openPage,
  sendMessage,
  type Account,
} from "./harness.ts";

let browser: Browser;
let ann: Account;
let id: number;

beforeAll(async () => {
  browser = await launch();
  ann = await createAccount("ann");
  const bob = await createAccount("bob");
  ({ id } = await createConversation(ann, [bob.id]));
  await sendMessage(bob, id, "a **bold** word");
});
afterAll(() => browser.close());

/** The parts are loaded when the browser is idle. */
const loaded = (page: Page) =>
  page.waitForFunction(
    (names) => {
      const done = performance
        .getEntriesByType("resource")
        .map(({ name }) => /\/assets\/([a-z]+)-[^/]*\.js$/.exec(name)?.[1]);
      return names.every((name) => done.includes(name));
    },
    ["later", "chat", "details", "formatted"],
  );

test("pages, dialogs and details open while the line is down", async () => {
  const { page, row, close } = await openChat(browser, ann, id);
  await row("bold").locator("strong").waitFor();
  await loaded(page);
  await page.context().setOffline(true);

  await row("bold").hover();
  await row("bold").getByRole("button", { name: "Reply" }).click();
  await page.locator(".box .bar").waitFor();
  await page.getByRole("button", { name: "Details" }).click();
  await page.getByRole("heading", { name: "Members" }).waitFor();
  await page.goto("/#/settings");
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await close();
});

test("a text is shown as typed until its formatter can be loaded", async () => {
  const watched = await openPage(browser);
  await watched.page.route("**/assets/formatted-*", (route) => route.abort());
  const { page, row, close } = await enterChat(watched, ann, id);
  await row("a **bold** word").waitFor();

  await page.unroute("**/assets/formatted-*");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await row("bold").locator("strong").waitFor();
  expect(await row("bold").locator(".bubble").textContent()).toContain("a bold word");
  await close();
});
