// A server that ends without a farewell while people write: SIGKILL, some seconds without a server, a new start.
//
// One test at a time has the server, so all of them are in this file.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { experiment, expectEqual, RUN_MS, startDemonstration } from "./guarantees_harness.ts";
import { launch, openPage, EVERY_HOST } from "./harness.ts";
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
