// The client without a mouse: everything is reached, the focus is visible at each step and never lost.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { focusName, tabTo } from "./focus.ts";
import {
  createAccount,
  createConversation,
  freshName,
  launch,
  openPage,
  PASSWORD,
  EVERY_HOST,
} from "./harness.ts";

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test("from the first screen to the log-out with the keyboard alone", EVERY_HOST, async () => {
  const other = await createAccount("ann", { first: "Ann" });
  const username = freshName("keys");
  const { page, problems, close } = await openPage(browser, {
    viewport: { width: 1280, height: 800 },
  });
  await page.goto("/");
  await tabTo(page, /^Create an account$/);
  await page.keyboard.press("Enter");
  await tabTo(page, /^Username/);
  await page.keyboard.type(username);
  await tabTo(page, /^E-mail address/);
  await page.keyboard.type(`${username}@example.com`);
  await tabTo(page, /^Password/);
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();

  await page.keyboard.press("Alt+Shift+KeyN");
  await expect.poll(() => focusName(page)).toBe("New conversation");
  await tabTo(page, /^With/);
  await page.keyboard.type(String(other.id));
  await page.keyboard.press("Enter");
  await tabTo(page, /^Start the conversation$/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/c\/\d+$/);

  await page.keyboard.press("Control+k");
  await expect.poll(() => focusName(page)).toBe("Search conversations");
  await page.keyboard.press("ArrowDown");
  await expect.poll(() => focusName(page)).toMatch(/Ann/);

  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await expect.poll(() => focusName(page)).toMatch(/Ann/);

  await page.keyboard.press("Shift+Tab");
  await tabTo(page, /^Account and settings$/).catch(() => tabBack(page, /^Account and settings$/));
  await page.keyboard.press("Enter");
  await expect.poll(() => focusName(page)).toBe("Settings");
  await page.keyboard.press("Enter");
  await expect.poll(() => focusName(page)).toBe("Settings");
  await tabTo(page, /^Log out$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Log out?" }).waitFor();
  await tabTo(page, /^Log out$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Chat that loses nothing." }).waitFor();
  expect(problems).toEqual([]);
  await close();
});

async function tabBack(page: Page, name: RegExp): Promise<void> {
  for (let step = 0; step < 20; step++) {
    await page.keyboard.press("Shift+Tab");
    if (name.test(await focusName(page))) return;
  }
  throw new Error(`Shift+Tab does not reach ${name}`);
}

test("the list is one stop of Tab, arrows move in it, and F6 moves between the parts", async () => {
  const me = await createAccount("me");
  for (const name of ["ann", "bob", "cem"]) {
    await createConversation(me, [(await createAccount(name, { first: name })).id]);
  }
  const { page, close } = await openPage(browser, { viewport: { width: 1280, height: 800 } });
  await page.goto("/#/settings");
  await page.getByLabel("Username").fill(me.username);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: /cem/ }).waitFor();

  await page.keyboard.press("Control+k");
  await expect.poll(() => focusName(page)).toBe("Search conversations");
  await page.keyboard.press("Tab");
  expect(await focusName(page)).toMatch(/cem/);
  await page.keyboard.press("ArrowDown");
  expect(await focusName(page)).toMatch(/bob/);
  await page.keyboard.press("End");
  expect(await focusName(page)).toMatch(/ann/);
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowUp");
  expect(await focusName(page)).toBe("Search conversations");

  await page.keyboard.press("F6");
  expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
  await page.keyboard.press("F6");
  expect(await focusName(page)).toBe("Search conversations");
  await close();
});
