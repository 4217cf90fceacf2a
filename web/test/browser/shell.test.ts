// The shell of the client as people use it: register, log in, find conversations, start one, log out.
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import {
  createAccount,
  createConversation,
  freshName,
  launch,
  logIn,
  openPage,
  PASSWORD,
  sendMessage,
  EVERY_HOST,
} from "./harness.ts";

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

test("a newcomer registers, logs out, and logs in again", EVERY_HOST, async () => {
  const { page, problems, close } = await openPage(browser);
  const username = freshName("new");
  await page.goto("/");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("E-mail address").fill(`${username}@example.com`);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  await page.getByRole("heading", { name: `Welcome, ${username}` }).waitFor();
  await expect.poll(() => invisibleIcons(page)).toEqual([]);

  await page.getByRole("button", { name: "Account and settings" }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Chat that loses nothing." }).waitFor();

  await logIn(page, username);
  await page.reload();
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  expect(problems).toEqual([]);
  await close();
});

test("what the server does not accept is said at its field, and the field has the focus", async () => {
  const taken = await createAccount("taken");
  const { page, problems, close } = await openPage(browser);
  await page.goto("/#/register");
  await page.getByRole("button", { name: "Create an account" }).click();
  const username = page.getByLabel("Username");
  await expect.poll(() => describedBy(username)).toContain("This field is required.");

  await username.fill(taken.username);
  await page.getByLabel("E-mail address").fill("nowhere");
  await page.getByLabel("Password", { exact: true }).fill("12345");
  await page.getByRole("button", { name: "Create an account" }).click();
  await expect.poll(() => describedBy(page.getByLabel("E-mail address"))).toContain("valid email");
  expect(await describedBy(page.getByLabel("Password", { exact: true }))).toContain(
    "entirely numeric",
  );
  const focused = page.locator(":focus");
  expect(await focused.getAttribute("name")).toBe("email");
  expect(problems).toEqual([]);
  await close();
});

test("a wrong password is said, and too many attempts show the time to wait", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/#/login");
  await page.route("**/api/users/login/", (route) => route.continue(), { times: 1 });
  await page.getByLabel("Username").fill("newcomer");
  await page.getByLabel("Password", { exact: true }).fill("wrong");
  const submit = page.getByRole("button", { name: "Log in" });
  await submit.click();
  await page.getByRole("alert").getByText("There is no account").waitFor();

  await page.route("**/api/users/login/", (route) =>
    route.fulfill({
      status: 429,
      headers: { "retry-after": "2" },
      json: { detail: "Too many attempts.", code: "too_many_attempts", request_id: "r" },
    }),
  );
  await submit.click();
  await page.getByText("You can try again in 2 seconds.").waitFor();
  expect(await submit.isDisabled()).toBe(true);
  await page.getByText("You can try again now.").waitFor();
  expect(await submit.isDisabled()).toBe(false);
  expect(problems).toEqual([]);
  await close();
});

test("an invited person registers and reaches the conversation", EVERY_HOST, async () => {
  const host = await createAccount("host", { first: "Ann", last: "Berg" });
  const guest = await createAccount("guest");
  const { page, problems, close } = await openPage(browser);
  await page.goto(`/#/new/${host.id}`);
  await page.getByText("You have been invited to a conversation.").waitFor();
  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByLabel("Username").fill(guest.username);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Start the conversation" }).click();
  await page.waitForURL(/#\/c\/\d+$/);
  await page.getByRole("link", { name: /Ann Berg/ }).waitFor();

  // The same link leads to the same conversation.
  const { hash } = new URL(page.url());
  await page.goto(`/#/new/${host.id}`);
  await page.getByRole("button", { name: "Start the conversation" }).click();
  await page.waitForURL((url) => url.hash === hash);
  expect(problems).toEqual([]);
  await close();
});

test("a group is made of people one knows and of numbers, and an unknown number is said", async () => {
  const me = await createAccount("me");
  const ann = await createAccount("ann", { first: "Änne", last: "Berg" });
  const bob = await createAccount("bob");
  await createConversation(me, [ann.id]);
  const { page, problems, close } = await openPage(browser);
  await logIn(page, me.username, "#/new");
  const people = page.getByRole("combobox", { name: "With" });
  await people.fill("anne");
  await page.getByRole("option", { name: /Änne Berg/ }).waitFor();
  await people.press("Enter");
  await people.fill("999999999");
  await people.press("Enter");
  await page.getByLabel("Name of the group").fill("Trip to Jena");
  await page.getByRole("button", { name: "Start the conversation" }).click();
  await page.getByText("There is no one with the number 999999999.").waitFor();

  await page.getByRole("button", { name: /^Remove Person no/ }).click();
  await people.fill(String(bob.id));
  await people.press("Enter");
  await people.press("Enter");
  await page.waitForURL(/#\/c\/\d+$/);
  await page.getByRole("link", { name: /Trip to Jena/ }).waitFor();
  expect(problems).toEqual([]);
  await close();
});

test("the list finds, opens and steps through conversations, and back returns to it", async () => {
  const me = await createAccount("me");
  const others = await Promise.all(["ann", "bob", "cem"].map((name) => createAccount(name)));
  for (const other of others) {
    const { id } = await createConversation(me, [other.id]);
    await sendMessage(me, id, `Hello ${other.username}`);
  }
  const { page, problems, close } = await openPage(browser, {
    viewport: { width: 400, height: 700 },
  });
  await logIn(page, me.username);
  const rows = page.getByRole("navigation", { name: "Conversations" }).getByRole("listitem");
  await expect.poll(() => rows.count()).toBe(3);
  expect(await rows.first().textContent()).toContain(`You: Hello ${others[2]?.username}`);

  await page.getByLabel("Search conversations").fill("bob");
  await expect.poll(() => rows.count()).toBe(1);
  await page.getByLabel("Search conversations").press("Enter");
  await page.waitForURL(/#\/c\/\d+$/);
  expect(await rows.first().isVisible()).toBe(false);
  await page.getByRole("button", { name: "Back" }).click();
  await expect.poll(() => rows.count()).toBe(3);
  // The focus is not lost with the pane that had it.
  await expect.poll(() => page.locator(":focus").count()).toBe(1);
  expect(new URL(page.url()).hash).toBe("#/");

  await page.setViewportSize({ width: 1280, height: 800 });
  await page.keyboard.press("Alt+ArrowDown");
  const first = page.url();
  await page.keyboard.press("Alt+ArrowDown");
  expect(page.url()).not.toBe(first);
  await page.keyboard.press("Alt+ArrowUp");
  expect(page.url()).toBe(first);
  expect(problems).toEqual([]);
  await close();
});

test("a log-out in one tab ends the login in the others", EVERY_HOST, async () => {
  const me = await createAccount("me");
  const { page, problems, close } = await openPage(browser);
  await logIn(page, me.username);
  const other = await page.context().newPage();
  await other.goto("/#/settings");
  await other.getByRole("heading", { name: "Settings", level: 1 }).waitFor();
  await page.goto("/#/settings");
  await page.getByRole("main").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Chat that loses nothing." }).waitFor();
  await other.getByRole("heading", { name: "Log in" }).waitFor();
  // A person has ended it, and nothing unsent is kept.
  expect(await other.getByText("This login has ended.").count()).toBe(0);
  expect(problems).toEqual([]);
  await close();
});

test("a page that needs a login is opened after it", async () => {
  const me = await createAccount("me");
  const { page, close } = await openPage(browser);
  await logIn(page, me.username, "#/settings");
  await page.getByRole("heading", { name: "Settings", level: 1 }).waitFor();
  await close();
});

test("a server that accepts no new accounts offers none", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.route("**/api/config/", (route) =>
    route.fulfill({ json: { registration: "closed" } }),
  );
  await page.goto("/");
  await page.getByText("This server accepts no new accounts.").waitFor();
  expect(await page.getByRole("link", { name: "Create an account" }).count()).toBe(0);
  await page.goto("/#/register");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  expect(problems).toEqual([]);
  await close();
});

test("appearance and language are changed at once and kept", async () => {
  const me = await createAccount("me");
  const { page, problems, close } = await openPage(browser, { colorScheme: "light" });
  await logIn(page, me.username, "#/settings");
  await page.getByRole("radio", { name: "Dark" }).check();
  await page.getByRole("radio", { name: "Deutsch" }).check();
  await page.getByRole("heading", { name: "Einstellungen", level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Einstellungen", level: 1 }).waitFor();
  const html = page.locator("html");
  expect(await html.getAttribute("lang")).toBe("de");
  expect(await html.evaluate((element) => getComputedStyle(element).colorScheme)).toBe("dark");
  expect(problems).toEqual([]);
  await close();
});

/** Icons that take space but show nothing, because the sprite was not loaded or lacks them. */
const invisibleIcons = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<SVGUseElement>("svg.icon use")]
      .filter((use) => use.checkVisibility() && use.getBBox().width === 0)
      .map((use) => use.href.baseVal),
  );

/** The text of the elements that describe a field. */
async function describedBy(field: Locator): Promise<string> {
  return field.evaluate((input) =>
    (input.getAttribute("aria-describedby") ?? "")
      .split(" ")
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join(" "),
  );
}
