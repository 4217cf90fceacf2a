// axe on every screen of the shell in every appearance.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { arrange, inspect, LAYOUTS } from "./appearances.ts";
import {
  createAccount,
  createConversation,
  launch,
  logIn,
  openPage,
  sendMessage,
  type Account,
} from "./harness.ts";

let browser: Browser;
let me: Account;

beforeAll(async () => {
  browser = await launch();
  me = await createAccount("maria", { first: "Maria", last: "Sommer" });
  const ann = await createAccount("ann", { first: "Ann-Kathrin", last: "Berg" });
  const ali = await createAccount("ali", { first: "علي", last: "حسن" });
  const bob = await createAccount("bob");
  const direct = await createConversation(me, [ann.id]);
  await sendMessage(ann, direct.id, "See you at eight 👋");
  const arabic = await createConversation(me, [ali.id]);
  await sendMessage(ali, arabic.id, "مرحبا، كيف حالك؟");
  const long = "A group with a name that is much longer than any list is wide, and then some";
  const group = await createConversation(me, [ann.id, bob.id, ali.id], long);
  await sendMessage(
    bob,
    group.id,
    "https://example.com/averyveryverylongwordwithoutanyplacetobreakit/averyvery",
  );
  await createConversation(me, [bob.id]);
});

afterAll(() => browser.close());

interface Screen {
  readonly name: string;
  readonly hash: string;
  /** Brings the screen into the state that is looked at. */
  readonly prepare: (page: Page) => Promise<unknown>;
}

const rows = (page: Page) => page.locator("nav li a").first().waitFor({ state: "attached" });
const heading = (page: Page) => page.locator("h1").first().waitFor();

async function checkEverywhere(page: Page, screens: readonly Screen[]): Promise<void> {
  const found: string[] = [];
  for (const layout of LAYOUTS) {
    await arrange(page, layout);
    for (const { name, hash, prepare } of screens) {
      await page.goto(`/${hash}`);
      await prepare(page);
      found.push(...(await inspect(page, name, layout)));
    }
  }
  expect(found).toEqual([]);
}

test("every screen without a login is accessible", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/");
  await checkEverywhere(page, [
    { name: "welcome", hash: "#/", prepare: heading },
    { name: "login", hash: "#/login", prepare: heading },
    {
      name: "register",
      hash: "#/register",
      prepare: async (page) => {
        await page.locator('button[type="submit"]').click();
        await page.locator('[aria-invalid="true"]').first().waitFor();
      },
    },
  ]);
  expect(problems).toEqual([]);
  await close();
});

test("every screen of the shell is accessible", async () => {
  const { page, problems, close } = await openPage(browser);
  await logIn(page, me.username);
  await checkEverywhere(page, [
    { name: "list", hash: "#/", prepare: rows },
    {
      name: "create",
      hash: "#/new",
      prepare: async (page) => {
        await page.getByRole("combobox").fill("Ann");
        await page.getByRole("combobox").press("Enter");
        await page.getByRole("combobox").fill("9");
        await page.getByRole("combobox").press("Enter");
        await page.locator('[name="name"]').waitFor();
      },
    },
    { name: "settings", hash: "#/settings", prepare: heading },
    { name: "connection", hash: "#/connection", prepare: heading },
    { name: "unknown", hash: "#/nowhere", prepare: heading },
    {
      name: "shortcuts",
      hash: "#/settings",
      prepare: async (page) => {
        await page.keyboard.press("Control+/");
        await page.locator("dialog[open]").waitFor();
      },
    },
  ]);
  expect(problems).toEqual([]);
  await close();
});

test("an empty list, a loading one and one that cannot be loaded are accessible", async () => {
  const newcomer = await createAccount("newcomer");
  const { page, close } = await openPage(browser);
  await logIn(page, newcomer.username);
  await checkEverywhere(page, [
    {
      name: "empty",
      hash: "#/",
      prepare: (page) => page.locator("nav h2").waitFor({ state: "attached" }),
    },
  ]);
  await page.route("**/api/chat/conversations/**", () => new Promise(() => undefined));
  await checkEverywhere(page, [
    {
      name: "loading",
      hash: "#/",
      prepare: (page) => page.locator('[aria-busy="true"]').waitFor({ state: "attached" }),
    },
  ]);
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.route("**/api/chat/conversations/**", (route) => route.abort());
  await checkEverywhere(page, [
    {
      name: "failed",
      hash: "#/",
      prepare: (page) => page.getByRole("alert").waitFor({ state: "attached" }),
    },
  ]);
  await close();
});
