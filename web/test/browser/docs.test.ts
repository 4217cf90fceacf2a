// The page of the API as people use it: read without scripts, search, follow addresses, try operations and the
// socket. With SHOTS=<directory> its main views are also kept as pictures, to be looked at.
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { inspect, LAYOUTS, SHOTS, sizeOf, type Layout } from "./appearances.ts";
import {
  createAccount,
  createConversation,
  EVERY_HOST,
  launch,
  openPage,
  SERVER,
} from "./harness.ts";

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

const isInView = (target: Locator): Promise<boolean> =>
  target.evaluate((element) => {
    const { top } = element.getBoundingClientRect();
    return top >= 0 && top < innerHeight;
  });

test("the page can be read without scripts", async () => {
  const { page, problems, close } = await openPage(browser, { javaScriptEnabled: false });
  await page.goto("/docs/#frame.hello.epoch");
  await page.getByRole("heading", { name: "Colloquy API" }).waitFor();
  await page.locator("#sendMessage").getByText("/api/chat/conversations/{id}/messages/").waitFor();
  expect(await isInView(page.locator("[id='frame.hello.epoch']"))).toBe(true);

  // Tabs are plain radio buttons, and the contents of a narrow window a popover.
  const samples = page.locator("#sendMessage .tabs");
  await samples.getByRole("radio", { name: "SDK" }).check();
  await samples.locator("pre", { hasText: "@colloquy/sdk/rest" }).waitFor();
  expect(await samples.locator("pre:visible").count()).toBe(1);
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await page.getByRole("navigation").isVisible()).toBe(false);
  await page.getByRole("button", { name: "Contents" }).click();
  await page.getByRole("navigation").getByRole("link", { name: "Close codes" }).click();
  expect(await isInView(page.locator("#closes"))).toBe(true);
  expect(problems).toEqual([]);
  await close();
});

test("a slash opens the search, and what is chosen has an address", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/docs/");
  await page.keyboard.press("/");
  const search = page.getByRole("combobox");
  await search.pressSequentially("client_mess");
  const options = page.getByRole("option");
  await expect.poll(() => options.first().textContent()).toContain("client_message_id");
  await search.fill("4403");
  await expect.poll(() => options.count()).toBe(1);
  await search.press("Enter");
  await expect.poll(() => new URL(page.url()).hash).toBe("#close.4403");
  await expect.poll(() => isInView(page.locator("[id='close.4403']"))).toBe(true);

  await page.keyboard.press("/");
  await search.pressSequentially("nothing-like-it");
  await page.getByText("Nothing begins with").waitFor();
  await search.press("Escape");
  await page.getByText("Nothing begins with").waitFor({ state: "hidden" });
  expect(problems).toEqual([]);
  await close();
});

test("an address leads to its field, and the contents say where one is", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/docs/#sendMessage.body.client_message_id");
  const field = page.locator("[id='sendMessage.body.client_message_id']");
  await expect.poll(() => isInView(field)).toBe(true);
  const current = page.locator("#nav [aria-current]");
  await expect.poll(() => current.textContent()).toContain("Send a message");
  expect(problems).toEqual([]);
  await close();
});

test("examples have the address of this server, and a language once chosen is that of all", async () => {
  const { page, close } = await openPage(browser);
  await page.goto("/docs/");
  await page.locator("#profile .tabs").getByRole("radio", { name: "fetch" }).check();
  const code = page.locator("#login .tabs pre:visible");
  await expect.poll(() => code.textContent()).toContain(`fetch("${SERVER}/api/users/login/"`);
  await close();
});

/** Opens "try it" of an operation, sends what it proposes, and returns the status and whether it is documented. */
async function attempt(
  page: Page,
  id: string,
): Promise<{ id: string; status: number; known: boolean }> {
  const article = page.locator(`#${id}`);
  const form = article.getByRole("form");
  if ((await form.count()) === 0) await article.getByRole("button", { name: "Try it" }).click();
  await form.getByRole("button", { name: "Send", exact: true }).click();
  const result = article.locator(".result");
  await result.waitFor();
  const text = await result.innerText();
  return { id, status: Number(/^\d+/.exec(text)?.[0]), known: !text.includes("not documented") };
}

test("every example that can be tried answers as documented", EVERY_HOST, async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/docs/");
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.locator("#profile").getByRole("button", { name: "Try it" }).click();
  const account = page.locator("#profile");
  await account.getByRole("button", { name: "Make two accounts" }).waitFor();
  // Nothing is sent before a button says so.
  expect(requests.filter((url) => url.includes("/api/"))).toEqual([]);
  await account.getByRole("button", { name: "Make two accounts" }).click();
  await account.getByText("Logged in as").waitFor();

  const successful = [
    ...["profile", "listConversations", "readConversation", "listMessages", "listMembers"],
    ...["health", "live", "ready", "openapi", "asyncapi"],
    ...["createConversation", "sendMessage", "editMessage", "addMember", "deleteMessage"],
  ];
  const answers = [];
  for (const id of successful) answers.push(await attempt(page, id));
  expect(answers.filter(({ status, known }) => status >= 300 || !known)).toEqual([]);
  // Their outcome depends on what is stored already, or on tokens that an example cannot have.
  for (const id of ["register", "login", "refresh", "logout"]) {
    expect(await attempt(page, id)).toMatchObject({ known: true });
  }
  expect(problems).toEqual([]);
  await close();
});

test("the console connects, sends frames and explains why a socket is closed", async () => {
  const { page, problems, close } = await openPage(browser);
  const [one, other, third] = [await createAccount(), await createAccount(), await createAccount()];
  const foreign = await createConversation(other, [third.id]);
  await page.goto("/docs/#console");
  const area = page.locator("#console");
  await area.getByRole("button", { name: "Open the console" }).click();
  await area.getByText("Or use an account").click();
  await area.getByLabel("Username").fill(one.username);
  await area.getByLabel("Password", { exact: true }).fill("correct-horse-9");
  await area.getByRole("button", { name: "Log in" }).click();
  await area.getByText("Logged in as").waitFor();
  await area.getByLabel("Conversation").fill(String(foreign.id));
  await area.getByRole("button", { name: "Connect" }).click();
  const log = area.getByRole("log");
  await log.getByText("closed with 4403").waitFor();
  expect(await log.getByRole("link").getAttribute("href")).toBe("#close.4403");

  const own = await createConversation(one, [other.id]);
  await area.getByLabel("Conversation").fill(String(own.id));
  await area.getByRole("button", { name: "Connect" }).click();
  await log.getByText('"type":"hello"').waitFor();
  for (const [command, answer] of [
    ["send", '"type":"ack"'],
    ["resume", '"type":"sync"'],
    ["auth", '"type":"auth.ok"'],
    ["ping", '"type":"pong"'],
  ] as const) {
    await area.getByRole("button", { name: command, exact: true }).click();
    await area.getByRole("button", { name: "Send the frame" }).click();
    await log.getByText(answer).waitFor();
  }
  await area.getByRole("button", { name: "Close" }).click();
  await log.getByText("closed with 1000").waitFor();
  expect(problems).toEqual([]);
  await close();
});

test("the page shows what the server describes when that is newer", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.route("**/api/openapi.json", async (route) => {
    const response = await route.fetch();
    const document = await response.json();
    document.paths["/api/users/profile/"].get.summary = "Who am I";
    document.info.version = "9.9.9";
    await route.fulfill({ response, json: document });
  });
  await page.goto("/docs/#profile");
  await page.locator("#profile").getByRole("heading", { name: "Who am I" }).waitFor();
  await page.locator("#nav").getByText("Who am I").waitFor();
  await page.getByText("Version 9.9.9").waitFor();
  expect(await page.locator("#profile").getByRole("button", { name: "Try it" }).count()).toBe(1);
  expect(await page.locator("[id='profile']").count()).toBe(1);
  expect(problems).toEqual([]);
  await close();
});

test("the page stays as it was built when the server describes nothing", async () => {
  const { page, close } = await openPage(browser);
  await page.route("**/api/*.json", (route) => route.abort());
  await page.goto("/docs/#profile");
  await page.getByText("This server did not describe itself").waitFor();
  await page.locator("#profile").getByText("/api/users/profile/").first().waitFor();
  await close();
});

test("on paper there is what is read and nothing that is pressed", async () => {
  const { page, close } = await openPage(browser);
  await page.goto("/docs/");
  await page.emulateMedia({ media: "print" });
  expect(await page.locator("#nav, .top, .copy, .open").filter({ visible: true }).count()).toBe(0);
  expect(await page.locator("#sendMessage").isVisible()).toBe(true);
  await close();
});

/** Another layout without loading the page again, which would close what is open on it. */
async function rearrange(page: Page, { locale, width }: Layout): Promise<void> {
  await page.setViewportSize(sizeOf(width));
  // The page is English. A translation of it by the browser may be right-to-left.
  await page.evaluate(
    (dir) => (document.documentElement.dir = dir),
    locale === "en" ? "ltr" : "rtl",
  );
}

test("the page is accessible with everything on it open", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.goto("/docs/");
  await page.locator("#sendMessage").getByRole("button", { name: "Try it" }).click();
  await page.locator("#sendMessage").getByRole("button", { name: "Make two accounts" }).click();
  await page.locator("#sendMessage").getByText("Logged in as").waitFor();
  await attempt(page, "sendMessage");
  await page.locator("#console").getByRole("button", { name: "Open the console" }).click();
  await page.locator("#console").getByRole("button", { name: "Connect" }).click();
  await page.locator("#console").getByText('"type":"hello"').waitFor();
  const found: string[] = [];
  const check = async (layout: Layout, schemes?: Parameters<typeof inspect>[3]) => {
    await rearrange(page, layout);
    await page.keyboard.press("/");
    await page.getByRole("combobox").fill("auth");
    await page.getByRole("option").first().waitFor();
    found.push(...(await inspect(page, "docs", layout, schemes)));
    await page.getByRole("combobox").press("Escape");
    await page.getByRole("combobox").blur();
    if (SHOTS) await shoot(page, layout, SHOTS);
  };
  // The whole page once, then some of everything in every appearance.
  await check({ locale: "en", width: 1280 }, ["light"]);
  if (!SHOTS) await keepFewOfEach(page);
  for (const layout of LAYOUTS) await check(layout);
  expect(found).toEqual([]);
  expect(problems).toEqual([]);
  await close();
}, 180_000);

/** Removes all but a few of the elements that are made by the same component, which would only cost time. */
const keepFewOfEach = (page: Page): Promise<void> =>
  page.evaluate(() => {
    for (const kind of ["operation", "frame", "type", "field", "rule", "limit"]) {
      const all = [...document.querySelectorAll(`[data-kind="${kind}"]`)];
      for (const element of all.slice(4)) if (element.id !== "sendMessage") element.remove();
    }
  });

const VIEWS = [
  "overview",
  "tour",
  "sendMessage",
  "types",
  "sequences",
  "console",
  "frame.hello",
  "errors",
];

async function shoot(page: Page, { locale, width }: Layout, directory: string): Promise<void> {
  for (const view of VIEWS) {
    await page.evaluate((id) => document.getElementById(id)?.scrollIntoView(), view);
    await page.screenshot({ path: join(directory, `docs-${view}-${locale}-${width}.png`) });
  }
}
