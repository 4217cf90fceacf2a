// Messages that are not sent: where they are shown, what one can do with them, and that only their author's decision
// ends them.
import { expect, test } from "vitest";

import {
  enterChat,
  openBetween,
  openChat,
  ready,
  type Chatting,
  type Fate,
} from "./chat_harness.ts";
import { createConversation, openPage, PASSWORD, SERVER, type Account } from "./harness.ts";
import { ann, bob, browser, id, name, usePair } from "./pair.ts";

usePair("Unsent");

const list = ({ page }: Chatting) => page.getByRole("navigation", { name: "Conversations" });

test("a refused message can be copied, sent again and deleted, and the list marks it", async () => {
  const fate: { current: Fate } = { current: "refuse" };
  const a = await enterChat(
    await openBetween(browser, fate, { permissions: ["clipboard-read", "clipboard-write"] }),
    ann,
    id,
  );
  await a.write("keep these words");
  const row = a.row("keep these words");
  await row.getByText(/^Not sent: The server does not accept/).waitFor();
  await list(a).getByText("1 message was not sent").waitFor({ state: "attached" });
  // A screen reader announces it at once.
  await a.page
    .locator('[aria-live="assertive"]', { hasText: "Not sent" })
    .waitFor({ state: "attached" });

  await row.getByRole("button", { name: "Copy" }).click();
  await a.page.getByText("Text copied").first().waitFor({ state: "attached" });
  expect(await a.page.evaluate(() => navigator.clipboard.readText())).toBe("keep these words");

  fate.current = "pass";
  await row.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => a.state("keep these words")).toBe("Sent");
  await expect.poll(() => list(a).getByText("was not sent").count()).toBe(0);

  fate.current = "refuse";
  await a.write("not worth it");
  await a.row("not worth it").getByRole("button", { name: "Delete" }).click();
  await expect.poll(() => a.row("not worth it").count()).toBe(0);
  await a.page.reload();
  await ready(a.page);
  expect(await a.texts()).toEqual(["keep these words"]);
  expect(await a.row("not worth it").count()).toBe(0);
  expect(a.problems).toEqual([]);
  await a.close();
});

test("the list shows drafts and messages that wait", async () => {
  const other = await createConversation(ann, [bob.id], "Other");
  const a = await openChat(browser, ann, id, { viewport: { width: 1280, height: 800 } });
  await a.page.context().setOffline(true);
  await a.write("waits for the line");
  await a.composer.fill("not finished");
  await list(a).getByText("1 message waits to be sent").waitFor({ state: "attached" });
  await a.page.getByRole("link", { name: /Other/ }).click();
  await a.page.waitForURL(`**/#/c/${other.id}`);
  const row = list(a).getByRole("link", { name: new RegExp(name) });
  expect(await row.textContent()).toMatch(/Draft:\s*not finished/);
  await a.page.context().setOffline(false);
  await expect.poll(() => list(a).getByText("waits to be sent").count()).toBe(0);
  await a.close();
});

test("a message that the server may have is never offered for deletion", async () => {
  const fate: { current: Fate } = { current: "lose answer" };
  const watched = await openBetween(browser, fate);
  await watched.page.clock.install();
  const a = await enterChat(watched, ann, id);
  const b = await openChat(browser, bob, id);
  await a.write("stored, but the answer is lost");
  await b.row("stored, but the answer is lost").waitFor();
  const row = a.row("stored, but the answer is lost");
  await row.click({ button: "right" });
  await a.page.getByRole("menuitem", { name: "Copy text" }).waitFor();
  expect(await a.page.getByRole("menuitem", { name: "Delete" }).count()).toBe(0);
  await a.page.keyboard.press("Escape");

  // A day later it has waited too long, and a person decides. The server may still have it.
  await a.page.clock.fastForward("25:00:00");
  await row.getByText("Not sent: It has waited for more than a day.").waitFor();
  expect(await row.getByRole("button").allTextContents()).toEqual(["Try again", "Copy"]);
  fate.current = "pass";
  await row.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => a.state("stored, but the answer is lost")).toBe("Sent");
  expect(await b.texts()).toEqual(["stored, but the answer is lost"]);
  expect(await a.texts()).toEqual(await b.texts());
  await Promise.all([a.close(), b.close()]);
});

test("a log-out with unsent messages says what is lost, and asks", async () => {
  const fate: { current: Fate } = { current: "lose" };
  const a = await enterChat(await openBetween(browser, fate), ann, id);
  await a.write("lost at the log-out");
  await list(a).getByText("1 message waits to be sent").waitFor({ state: "attached" });
  await a.page.getByRole("button", { name: "Account and settings" }).click();
  await a.page.getByRole("menuitem", { name: "Log out" }).click();
  const dialog = a.page.getByRole("dialog", { name: "Log out?" });
  await dialog
    .getByText("1 message has not been sent. If you log out now, it may be lost.")
    .waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(await a.row("lost at the log-out").count()).toBe(1);

  await a.page.getByRole("button", { name: "Account and settings" }).click();
  await a.page.getByRole("menuitem", { name: "Log out" }).click();
  await dialog.getByRole("button", { name: "Log out anyway" }).click();
  await a.page.getByRole("heading", { name: "Chat that loses nothing." }).waitFor();

  fate.current = "pass";
  const again = await enterChat(a, ann, id);
  await again.write("after it");
  await expect.poll(() => again.state("after it")).toBe("Sent");
  expect(await again.texts()).toEqual(["after it"]);
  expect(await again.row("lost at the log-out").count()).toBe(0);
  expect(a.problems).toEqual([]);
  await a.close();
});

test("a session that is ended elsewhere keeps what is unsent for the same user", async () => {
  const watched = await openPage(browser);
  const login = watched.page.waitForResponse("**/api/users/login/");
  const a = await enterChat(watched, ann, id);
  const tokens = (await (await login).json()) as { access: string; refresh: string };
  await a.page.context().setOffline(true);
  await a.write("kept for Ann");
  await expect.poll(() => a.state("kept for Ann")).not.toBeNull();
  await endSession(tokens);
  await a.page.context().setOffline(false);
  await a.page.getByText("This login has ended. Log in again to continue").waitFor();

  // Another user of this browser neither sees nor sends it.
  await logInHere(a, bob);
  await ready(a.page);
  expect(await a.row("kept for Ann").count()).toBe(0);
  await a.page.goto("/#/settings");
  await a.page.getByRole("main").getByRole("button", { name: "Log out" }).click();
  await a.page.getByRole("dialog").getByRole("button", { name: "Log out" }).click();
  await a.page.getByRole("link", { name: "Log in" }).click();

  await logInHere(a, ann);
  await a.page.goto(`/#/c/${id}`);
  await expect.poll(() => a.state("kept for Ann")).toBe("Sent");
  expect(await a.texts()).toEqual(["kept for Ann"]);
  await a.close();
});

async function logInHere({ page }: Chatting, { username }: Account): Promise<void> {
  await page.getByLabel("Username", { exact: true }).fill(username);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Conversations" }).waitFor({ state: "attached" });
}

/** Ends a session by its own tokens, as another program that has them could. */
async function endSession({ access, refresh }: { access: string; refresh: string }) {
  const answer = await fetch(`${SERVER}/api/users/logout/`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${access}` },
    body: JSON.stringify({ refresh }),
  });
  expect(answer.status).toBe(205);
}
