// The ends of a conversation: one leaves it, one is removed from it, or it is open in too many places.
import { beforeEach, expect, test } from "vitest";
import WebSocket from "ws";

import { openChat, type Chatting } from "./chat_harness.ts";
import { openPage, logIn, sendMessage, SERVER, type Account } from "./harness.ts";
import { ann, bob, browser, id, name, usePair } from "./pair.ts";

/** Sockets that a user may have in a conversation. */
const MOST_SOCKETS = 20;
const WIDE = { viewport: { width: 1400, height: 800 } };

usePair("Group");
beforeEach(() => sendMessage(ann, id, "An earlier word"));

const row = ({ page }: Chatting) =>
  page.getByRole("navigation", { name: "Conversations" }).getByText(name);

test("one who leaves is asked, is out at once, and the others see it", async () => {
  const a = await openChat(browser, ann, id, WIDE);
  const b = await openChat(browser, bob, id, WIDE);
  await b.page.getByRole("button", { name: "Details" }).click();
  await b.page.getByRole("button", { name: "Leave the group" }).click();
  const dialog = b.page.getByRole("dialog", { name: "Leave this group?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await b.write("I am still here");
  await a.row("I am still here").waitFor();

  await b.page.getByRole("button", { name: "Leave the group" }).click();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await b.page.waitForURL(/#\/$/);
  await expect.poll(() => row(b).count()).toBe(0);
  await a.page.getByText(new RegExp(`${bob.username}.? left`)).waitFor();
  await b.page.goto(`/#/c/${id}`);
  await b.page.getByText("You are not a member of this conversation any more").waitFor();
  expect(await b.composer.count()).toBe(0);
  for (const { problems, close } of [a, b]) {
    expect(problems).toEqual([]);
    await close();
  }
});

test("a removed member sees the end, also after a reload, and can write again when added again", async () => {
  const b = await openChat(browser, bob, id, WIDE);
  await b.row("An earlier word").waitFor();
  await removeMember(bob);
  await b.page.getByText("You are not a member of this conversation any more").waitFor();
  await b.row("An earlier word").waitFor();
  expect(await b.composer.count()).toBe(0);
  await expect.poll(() => row(b).count()).toBe(0);

  await b.page.reload();
  await b.page.getByText("You are not a member of this conversation any more").waitFor();
  expect(await b.composer.count()).toBe(0);

  await addMember(bob);
  await b.page.reload();
  await b.write("Back again");
  await expect.poll(() => b.state("Back again")).toBe("Sent");
  await b.close();
});

const removeMember = (user: Account) => change("DELETE", `members/${user.id}/`);
const addMember = (user: Account) => change("POST", "members/", { user_id: user.id });

async function change(method: string, path: string, body?: object): Promise<void> {
  const answer = await fetch(`${SERVER}/api/chat/conversations/${id}/${path}`, {
    method,
    headers: { "content-type": "application/json", authorization: `Bearer ${ann.access}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
}

test("a conversation that is open in too many places says so, still sends, and connects when one closes", async () => {
  const sockets = await Promise.all(Array.from({ length: MOST_SOCKETS }, () => openSocket(ann)));
  const watched = await openPage(browser, WIDE);
  await logIn(watched.page, ann.username, `#/c/${id}`);
  await watched.page.getByText("This conversation is open too often").waitFor();
  const composer = watched.page.getByRole("textbox", { name: /^Message to/ });
  await composer.fill("By another way");
  await composer.press("Enter");
  const b = await openChat(browser, bob, id);
  await b.row("By another way").waitFor({ timeout: 20_000 });

  const [first, ...others] = sockets;
  first?.close();
  await watched.page.getByRole("button", { name: "Try now" }).click();
  await watched.page
    .getByText("This conversation is open too often")
    .waitFor({ state: "detached" });
  await watched.page.locator("li[data-key]").filter({ hasText: "An earlier word" }).waitFor();
  for (const socket of others) socket.close();
  expect(watched.problems).toEqual([]);
  await Promise.all([watched.close(), b.close()]);
});

/** Another place in which the conversation is open. */
function openSocket({ access }: Account): Promise<WebSocket> {
  const url = `${SERVER.replace(/^http/, "ws")}/ws/chat/${id}/`;
  const socket = new WebSocket(url, ["chat.v2", `bearer.${access}`]);
  return new Promise((resolve, reject) => {
    socket.once("message", () => resolve(socket));
    socket.once("error", reject);
  });
}
