// A server that ends without a farewell while people write: SIGKILL, some seconds without a server, a new start.
//
// One test at a time has the server, so all of them are in this file.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openChat } from "./chat_harness.ts";
import { experiment, expectEqual, RUN_MS, startDemonstration } from "./guarantees_harness.ts";
import { createAccount, createConversation, EVERY_HOST, launch, openPage } from "./harness.ts";
import { HAS_KILLABLE_SERVER, killableServer, type KillableServer } from "./killable_server.ts";

let browser: Browser;
let server: KillableServer;

beforeAll(async () => {
  browser = await launch();
  if (HAS_KILLABLE_SERVER) server = await killableServer();
});
afterAll(async () => {
  await browser.close();
  await server?.release();
});

test.skipIf(!HAS_KILLABLE_SERVER)(
  "the page of the guarantees loses nothing when the server is killed and started again",
  { ...EVERY_HOST, timeout: 2 * RUN_MS },
  async () => {
    const { page, close } = await openPage(browser, { baseURL: server.url });
    await startDemonstration(page);
    await experiment(page, "Kill the server").click();
    await page.getByText("kill -9").waitFor();
    await server.kill();
    await page.getByText("The server is gone.").waitFor();
    await page.getByText("3 messages waiting").first().waitFor();
    await server.start();
    await page.getByText("The server returned.").waitFor({ timeout: RUN_MS });
    await experiment(page, "Kill the server").getByText("Agreed").waitFor({ timeout: RUN_MS });
    expect(await expectEqual(page)).toBe(6);
    await close();
  },
);

test.skipIf(!HAS_KILLABLE_SERVER)(
  "a killed server is said, what is written waits, and arrives once when it runs again",
  { ...EVERY_HOST, timeout: 2 * RUN_MS },
  async () => {
    const { url } = server;
    const ann = await createAccount("ann", {}, url);
    const bob = await createAccount("bob", {}, url);
    const { id } = await createConversation(ann, [bob.id], "Team", url);
    const a = await openChat(browser, ann, id, { baseURL: url });
    const b = await openChat(browser, bob, id, { baseURL: url });
    await a.write("before");
    await b.row("before").waitFor();

    await server.kill();
    await a.page.getByText("Not connected.").waitFor();
    await a.write("while it was down");
    await a.write("and another");
    await a.page.getByText("2 messages will be sent when you are back.").waitFor();
    await expect.poll(() => a.state("and another")).toMatch(/Waiting to be sent|Sending/);

    await server.start();
    // The page connects by itself, at the latest 15 s after it tried last.
    await expect.poll(() => a.state("and another"), { timeout: 30_000 }).toBe("Sent");
    await a.page.getByText("Not connected.").waitFor({ state: "detached" });
    await b.row("and another").waitFor();
    expect(await b.texts()).toEqual(["before", "while it was down", "and another"]);
    expect(await a.texts()).toEqual(await b.texts());
    await Promise.all([a.close(), b.close()]);
  },
);
