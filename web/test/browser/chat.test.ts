// A conversation as people have it: writing, answering, changing, and what they see of each other.
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";

import { openChat, ready, type Chatting } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  post,
  SERVER,
  sendMessage,
  EVERY_HOST,
} from "./harness.ts";
import { ann, bob, browser, id, usePair } from "./pair.ts";

usePair("Talk", { first: "Ann", last: "Berg" });

async function both(): Promise<[Chatting, Chatting]> {
  return Promise.all([openChat(browser, ann, id), openChat(browser, bob, id)]);
}

async function end(...people: readonly Chatting[]): Promise<void> {
  for (const { problems, close } of people) {
    expect(problems).toEqual([]);
    await close();
  }
}

test("two people write to each other, edit and delete", EVERY_HOST, async () => {
  const [a, b] = await both();
  await a.page.getByText("No messages yet").first().waitFor();
  await a.write("Hello Bob");
  await b.row("Hello Bob").waitFor();
  await b.write("Hello Ann\nhow are you?");
  await a.row("how are you?").waitFor();
  expect(await a.row("Hello Bob").locator(".state").getAttribute("title")).toBe("Sent");

  // ↑ in the empty field edits the own last message.
  await a.composer.press("ArrowUp");
  await expect.poll(() => a.composer.inputValue()).toBe("Hello Bob");
  await a.composer.fill("Hello **Bob**!");
  await a.composer.press("Enter");
  await b.row("edited").getByText("Bob", { exact: true }).waitFor();
  expect(await b.row("edited").locator("strong").textContent()).toBe("Bob");
  expect(await a.composer.inputValue()).toBe("");

  await a.row("edited").hover();
  await a.page.getByRole("button", { name: "More actions" }).click();
  await a.page.getByRole("menuitem", { name: "Delete" }).click();
  await a.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await b.row("Message deleted").waitFor();
  await a.row("Message deleted").waitFor();
  await end(a, b);
});

test("an answer quotes its message, and a press on the quote leads there", async () => {
  await sendMessage(bob, id, "The first word of many");
  for (let n = 0; n < 40; n++) await sendMessage(ann, id, `filler ${n}`);
  const a = await openChat(browser, ann, id);
  await a.row("filler 39").waitFor();
  const first = a.page.locator("li[data-number='1']");
  await first.scrollIntoViewIfNeeded();
  await first.hover();
  await a.page.getByRole("button", { name: "Reply" }).click();
  await a.page.getByText("Reply to").waitFor();
  await a.write("Indeed it was");

  const answer = a.row("Indeed it was");
  await answer.getByText("The first word of many").waitFor();
  await expect.poll(() => visible(answer)).toBe(true);
  await answer.getByRole("button", { name: /The first word/ }).click();
  await expect.poll(() => visible(first)).toBe(true);
  await end(a);
});

test("a quote of a message that is far back is read from the server", async () => {
  const quoted = (await sendMessage(bob, id, "Far back")) as { id: number };
  for (let n = 0; n < 130; n++) await sendMessage(ann, id, `filler ${n}`);
  await post(
    `/api/chat/conversations/${id}/messages/`,
    { message: "An answer", reply_to: quoted.id },
    ann.access,
  );
  const b = await openChat(browser, bob, id);
  const quote = b.row("An answer").getByRole("button", { name: /Far back/ });
  await quote.click();
  await expect.poll(() => b.page.locator(":focus").textContent()).toContain("Far back");
  await end(b);
});

const visible = (row: Locator): Promise<boolean> =>
  row.evaluate((element) => {
    const inner = element.getBoundingClientRect();
    const outer = element.closest(".scroller")?.getBoundingClientRect();
    return !!outer && inner.top >= outer.top && inner.bottom <= outer.bottom;
  });

test("what was written is there again after a reload, and after another conversation", async () => {
  const other = await createConversation(ann, [bob.id], "Other");
  const a = await openChat(browser, ann, id);
  await a.composer.fill("half a thought");
  await a.page.getByRole("link", { name: /Other/ }).click();
  await expect.poll(() => a.composer.inputValue()).toBe("");
  expect(a.page.url()).toContain(`#/c/${other.id}`);
  await a.page.getByRole("navigation").getByText("half a thought").waitFor();
  await a.page.reload();
  await a.page.goto(`${SERVER}/#/c/${id}`);
  await ready(a.page);
  await expect.poll(() => a.composer.inputValue()).toBe("half a thought");
  await a.composer.press("Enter");
  await a.row("half a thought").waitFor();
  await a.page.reload();
  await ready(a.page);
  expect(await a.composer.inputValue()).toBe("");
  await end(a);
});

test("Enter that confirms a candidate of an input method sends nothing", async () => {
  const a = await openChat(browser, ann, id);
  await a.composer.focus();
  const devtools = await a.page.context().newCDPSession(a.page);
  await devtools.send("Input.imeSetComposition", {
    text: "にほんご",
    selectionStart: 4,
    selectionEnd: 4,
  });
  // The names of the key differ between systems; its code does not.
  for (const key of ["Process", "Enter"]) {
    const enter = { key, code: "Enter", windowsVirtualKeyCode: 229 };
    await devtools.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...enter });
  }
  await devtools.send("Input.insertText", { text: "日本語" });
  // Safari reports the key when the composition has ended already.
  const late = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 229 };
  await devtools.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...late });
  expect(await a.composer.inputValue()).toBe("日本語");
  expect(await a.page.locator("li[data-key]").count()).toBe(0);
  await a.composer.press("Enter");
  await a.row("日本語").waitFor();
  await end(a);
});

test("a member is mentioned by the keyboard and sees it", async () => {
  const [a, b] = await both();
  await a.composer.pressSequentially("Hi @bo");
  const option = a.page.getByRole("option", { name: new RegExp(bob.username) });
  await option.waitFor();
  expect(await a.composer.getAttribute("aria-activedescendant")).toBe(
    await option.getAttribute("id"),
  );
  await a.composer.press("Enter");
  expect(await a.composer.inputValue()).toBe(`Hi @${bob.username} `);
  await a.composer.pressSequentially("there");
  await a.composer.press("Enter");
  await b.row("there").locator("mark", { hasText: bob.username }).waitFor();
  await end(a, b);
});

test("an emoji is found by its name and inserted", async () => {
  const a = await openChat(browser, ann, id);
  await a.composer.fill("Done ");
  await a.page.getByRole("button", { name: "Insert an emoji" }).click();
  const search = a.page.getByRole("searchbox", { name: "Search emoji" });
  await search.fill("party pop");
  await a.page.getByRole("button", { name: "party popper" }).waitFor();
  await search.press("Enter");
  await expect.poll(() => a.composer.inputValue()).toBe("Done 🎉");
  await a.composer.press("Enter");
  await a.row("Done 🎉").waitFor();
  await end(a);
});

test("a text that is too long is counted and not sent", async () => {
  const a = await openChat(browser, ann, id);
  await a.composer.fill("x".repeat(4003));
  await a.page.getByText("3 characters too long").waitFor();
  await a.composer.press("Enter");
  expect(await a.composer.inputValue()).toHaveLength(4003);
  await a.composer.fill("x".repeat(3999));
  await a.page.getByText("1 character left").waitFor();
  await end(a);
});

test("messages are read and acted on by the keyboard", async () => {
  await sendMessage(bob, id, "one");
  await sendMessage(ann, id, "two");
  await sendMessage(bob, id, "three");
  const a = await openChat(browser, ann, id);
  await a.row("three").waitFor();
  const focused = () => a.page.locator(":focus").textContent();
  await a.composer.press("Shift+F6");
  await expect.poll(focused).toContain("three");
  await a.page.keyboard.press("ArrowUp");
  await expect.poll(focused).toContain("two");
  await a.page.keyboard.press("e");
  await expect.poll(() => a.composer.inputValue()).toBe("two");
  await a.page.keyboard.press("Escape");
  await a.page.keyboard.press("Shift+F6");
  await a.page.keyboard.press("Home");
  await expect.poll(focused).toContain("one");
  await a.page.keyboard.press("Enter");
  await a.page.getByRole("menuitem", { name: "Reply" }).waitFor();
  await a.page.keyboard.press("Enter");
  await a.composer.waitFor();
  await expect
    .poll(() => a.composer.evaluate((area) => area === document.activeElement))
    .toBe(true);
  await a.page.getByText("Reply to").waitFor();

  await a.page.keyboard.press("Escape");
  await a.page.keyboard.press("Shift+F6");
  await a.page.keyboard.press("ArrowDown");
  await a.page.keyboard.press("Delete");
  await a.page.getByRole("dialog").getByRole("button", { name: "Delete" }).press("Enter");
  await a.row("Message deleted").waitFor();
  // The focus is where it was: on the row, not at the top of the page.
  await expect.poll(focused).toContain("Message deleted");
  await end(a);
});

test("members are shown, added, and one who leaves sees the end", EVERY_HOST, async () => {
  const cem = await createAccount("cem");
  const [a, b] = await both();
  await a.write("Before Cem");
  await a.page.getByRole("button", { name: "Details" }).click();
  await a.page.getByRole("button", { name: "Add members" }).click();
  await a.page.getByRole("combobox").fill(String(cem.id));
  await a.page.getByRole("button", { name: "Add", exact: true }).click();
  await a.page.getByRole("heading", { name: "Details" }).waitFor();
  await b.row(`added ${cem.username}`).or(b.page.getByText(/added/)).first().waitFor();
  await a.page.getByRole("list", { name: "Members" }).getByText(cem.username).first().waitFor();

  await a.page.getByRole("button", { name: new RegExp(`Actions for .*${bob.username}`) }).click();
  await a.page.getByRole("menuitem", { name: "Remove from the group" }).click();
  await a.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await b.page.getByText("You are not a member of this conversation any more").waitFor();
  await b.row("Before Cem").waitFor();
  expect(await b.composer.count()).toBe(0);
  await end(a, b);
});
