// axe on the chat pane and what opens in it, in every appearance.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { arrange, inspect, LAYOUTS } from "./appearances.ts";
import { ready } from "./chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  logIn,
  openPage,
  post,
  sendMessage,
  SERVER,
  type Account,
} from "./harness.ts";

let browser: Browser;
let me: Account;
let group: number;
let empty: number;

beforeAll(async () => {
  browser = await launch();
  me = await createAccount("maria", { first: "Maria", last: "Sommer" });
  const ann = await createAccount("ann", { first: "Ann-Kathrin", last: "Berg" });
  const ali = await createAccount("ali", { first: "علي", last: "حسن" });
  const bob = await createAccount("bob_with_a_rather_long_name_that_goes_on_and_on");
  group = (await createConversation(me, [ann.id, ali.id, bob.id], "Release 2.0")).id;
  empty = (await createConversation(me, [bob.id])).id;
  await sendMessage(ann, group, "Good morning! The release notes are ready for a last look.");
  await sendMessage(
    ann,
    group,
    "- the outbox survives a reload\n- **nothing is lost**\n- `resume` is one batch",
  );
  const question = await send(bob, {
    message:
      "I read them on the train. Who writes the part about the migration? https://example.com/a/long/path/without/any/place/to/break/it/into/two/lines",
  });
  await sendMessage(me, group, "I can do that.");
  await send(me, {
    message: "Tomorrow before noon, if that is early enough?",
    reply_to: question.id,
  });
  await sendMessage(ali, group, "مرحبا جميعا، سأراجع النسخة العربية (version 2.0) اليوم.");
  await send(ann, {
    message: `@${me.username} perfect, thank you! See [the plan](https://plans.example.com/2.0).`,
    mentions: [me.id],
    reply_to: question.id,
  });
  await sendMessage(ann, group, "🎉🎉");
  const wrong = await send(bob, { message: "wrong window" });
  await change(bob, "DELETE", wrong.id);
  await sendMessage(
    bob,
    group,
    "```\ncargo run --release  # and open the address it prints, in two windows\n```",
  );
  const last = await send(me, { message: "Looks good" });
  await change(me, "PATCH", last.id, { message: "Looks good. Ship it 👍" });
});

afterAll(() => browser.close());

const send = (by: Account, body: object): Promise<{ id: number }> =>
  post(`/api/chat/conversations/${group}/messages/`, body, by.access);

async function change(by: Account, method: string, message: number, body?: object): Promise<void> {
  await fetch(`${SERVER}/api/chat/conversations/${group}/messages/${message}/`, {
    method,
    headers: { authorization: `Bearer ${by.access}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
}

interface Screen {
  readonly name: string;
  readonly pane?: "details";
  readonly conversation?: () => number;
  readonly prepare?: (page: Page) => Promise<unknown>;
}

const SCREENS: readonly Screen[] = [
  {
    name: "chat",
    // Drafts of the appearance before are still there.
    prepare: async (page) => {
      await page.locator("textarea").fill("");
      await page.locator("textarea").press("Escape");
      await page.locator("li[data-number]").first().waitFor();
    },
  },
  { name: "empty", conversation: () => empty },
  {
    name: "details",
    pane: "details",
    prepare: (page) => page.locator(".details li bdi").first().waitFor(),
  },
  {
    name: "menu",
    prepare: async (page) => {
      await page.locator("li[data-key][tabindex='0']").press("Enter");
      await page.locator('[role="menuitem"]:visible').first().waitFor();
    },
  },
  {
    name: "reply",
    prepare: async (page) => {
      await page.locator("li[data-key][tabindex='0']").press("r");
      await page.locator(".box .bar").waitFor();
    },
  },
  {
    name: "delete",
    prepare: async (page) => {
      await page.locator("li[data-key][tabindex='0']").press("Delete");
      await page.locator("dialog[open]").waitFor();
    },
  },
  {
    name: "mention",
    prepare: async (page) => {
      await page.locator("textarea").fill("@");
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    name: "emoji",
    prepare: async (page) => {
      await page.locator(".composer .line button").first().click();
      await page.locator(".picker .grid button").first().waitFor();
    },
  },
];

test("the chat pane is accessible in every appearance", async () => {
  const { page, problems, close } = await openPage(browser);
  await logIn(page, me.username);
  const found: string[] = [];
  for (const layout of LAYOUTS) {
    await arrange(page, layout);
    for (const { name, pane, conversation, prepare } of SCREENS) {
      const id = conversation?.() ?? group;
      // Another address first: each screen starts again.
      await page.goto("/#/settings");
      await page.goto(`/#/c/${id}${pane ? `/${pane}` : ""}`);
      await ready(page);
      await prepare?.(page);
      found.push(...(await inspect(page, name, layout)));
    }
  }
  expect(found).toEqual([]);
  expect(problems).toEqual([]);
  await close();
}, 300_000);
