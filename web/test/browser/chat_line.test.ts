// The chat while the line is bad: nothing that was written is lost, and nothing appears twice.
import type { Browser, Page, WebSocketRoute } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { chatting, openChat, ready, type Chatting } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  logIn,
  openPage,
  SERVER,
  sendMessage,
  type Account,
  EVERY_HOST,
} from "./harness.ts";

let browser: Browser;
let ann: Account;
let bob: Account;
let id: number;

beforeAll(async () => {
  browser = await launch();
  ann = await createAccount("ann");
  bob = await createAccount("bob");
});
afterAll(() => browser.close());
beforeEach(async () => {
  id = (await createConversation(ann, [bob.id], `Line ${Date.now()}`)).id;
});

const state = (chat: Chatting, text: string) => chat.row(text).locator(".state");

/** Requests and sockets fail; the page itself still loads, as from a cache. */
async function cut(page: Page): Promise<void> {
  await page.route("**/api/**", (route) => route.abort());
  await page.routeWebSocket("**/ws/**", (socket) => socket.close({ code: 1013 }));
}

test("what is written on a half-open line arrives once when it is back", EVERY_HOST, async () => {
  const a = await openChat(browser, ann, id);
  const b = await openChat(browser, bob, id);
  // The socket of an open page stays open and silent.
  await a.page.context().setOffline(true);
  await a.write("from the tunnel");
  await expect
    .poll(() => state(a, "from the tunnel").getAttribute("title"))
    .toMatch(/Waiting to be sent|Sending/);
  await sendMessage(bob, id, "sent in between");
  await b.row("sent in between").waitFor();
  expect(await b.row("from the tunnel").count()).toBe(0);

  await a.page.context().setOffline(false);
  await b.row("from the tunnel").waitFor();
  await a.row("sent in between").waitFor();
  await expect.poll(() => state(a, "from the tunnel").getAttribute("title")).toBe("Sent");
  expect(await texts(a)).toEqual(await texts(b));
  expect(await texts(b)).toHaveLength(2);
  await a.close();
  await b.close();
});

async function texts({ page }: Chatting): Promise<string[]> {
  const bubbles = await page.locator("li[data-number] .bubble").allTextContents();
  return bubbles.map((text) => text.trim());
}

test("a message that waits survives a reload and is sent by itself", async () => {
  const a = await openChat(browser, ann, id);
  await cut(a.page);
  await a.page.context().setOffline(true);
  await a.write("before the reload");
  await expect.poll(() => state(a, "before the reload").getAttribute("title")).not.toBeNull();
  await a.page.context().setOffline(false);
  await a.page.reload();
  await expect
    .poll(() => state(a, "before the reload").getAttribute("title"))
    .toBe("Waiting to be sent");

  // Another tab, whose requests and sockets work.
  const page = await a.page.context().newPage();
  await a.page.close();
  await page.goto(`${SERVER}/#/c/${id}`);
  const again = chatting({ page, problems: [], close: () => page.close() });
  await expect.poll(() => state(again, "before the reload").getAttribute("title")).toBe("Sent");
  const b = await openChat(browser, bob, id);
  await b.row("before the reload").waitFor();
  expect(await texts(b)).toEqual(["before the reload"]);
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
  await expect.poll(() => texts(a)).toEqual(["from the first tab", "from the second tab"]);
  expect(await texts(second)).toEqual(await texts(a));
  await expect.poll(() => second.row("from the first tab").getAttribute("class")).toContain("own");
  expect(a.problems).toEqual([]);
  await a.close();
});

test("a message that the server refuses says why, and can be copied, retried and deleted", async () => {
  const watched = await openPage(browser);
  let refuse = true;
  let line: WebSocketRoute | undefined;
  await watched.page.routeWebSocket("**/ws/chat/**", (socket) => {
    line = socket.connectToServer();
    socket.onMessage((frame) => {
      const sent = String(frame);
      const clientId = /"client_message_id":"([^"]+)"/.exec(sent)?.[1];
      if (!refuse || clientId === undefined) return line?.send(frame);
      const error = { type: "error", error: "No.", code: "invalid", retryable: false };
      return socket.send(JSON.stringify({ ...error, client_message_id: clientId }));
    });
  });
  const a = await openChatIn(watched, ann);
  await a.write("refused once");
  await a
    .row("refused once")
    .getByText(/Not sent: The server does not accept/)
    .waitFor();
  // A screen reader announces it at once.
  await a.page
    .locator('[aria-live="assertive"]', { hasText: "Not sent" })
    .waitFor({ state: "attached" });
  refuse = false;
  await a.row("refused once").getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => state(a, "refused once").getAttribute("title")).toBe("Sent");

  refuse = true;
  await a.write("refused twice");
  await a.row("refused twice").getByRole("button", { name: "Delete" }).click();
  await expect.poll(() => a.row("refused twice").count()).toBe(0);
  expect(a.problems).toEqual([]);
  await a.close();
});

async function openChatIn(watched: Awaited<ReturnType<typeof openPage>>, account: Account) {
  await logIn(watched.page, account.username, `#/c/${id}`);
  await ready(watched.page);
  return chatting(watched);
}

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
