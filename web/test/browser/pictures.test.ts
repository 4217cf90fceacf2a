// The pictures of README and documents, on a server of their own with people who were made up for them.
//
// PICTURES names the directory; `cargo xtask web --pictures` takes them from there to docs/images. What they show
// is the same in every run: the people, their messages, the times, the address.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { chatting, ready } from "./chat_harness.ts";
import { press, startDemonstration } from "./guarantees_harness.ts";
import { launch, logIn, openPage } from "./harness.ts";
import { BINARY, OwnServer } from "./own_server.ts";
import { compressed } from "./pictures/png.ts";
import { ME, PEOPLE, ZONE } from "./pictures/script.ts";
import { stopTime } from "./pictures/times.ts";
import { World } from "./pictures/world.ts";

const PICTURES = process.env["PICTURES"] ?? "";
/** The name begins with a word by which a run can choose them. */
const picture = (name: string, run: () => Promise<void>): void =>
  test.skipIf(!PICTURES || !BINARY)(`picture: ${name}`, run);

/** The address that a newcomer's server prints. The browser takes the server of this test for it. */
const ADDRESS = "127.0.0.1:8000";
const DESK = { viewport: { width: 1200, height: 760 } };
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };

let browser: Browser;
let server: OwnServer;
let hut: number;

beforeAll(async () => {
  if (!PICTURES || !BINARY) return;
  mkdirSync(PICTURES, { recursive: true });
  server = await OwnServer.start(BINARY, { THROTTLE_RATE_SECONDS: "0", BUDGET_FACTOR: "0" });
  hut = await World.make(server.url);
  browser = await launch(`--host-resolver-rules=MAP ${ADDRESS} 127.0.0.1:${server.port}`);
});
afterAll(async () => {
  await browser?.close();
  await server?.remove();
});

interface Studio {
  readonly page: Page;
  take(name: string): Promise<void>;
}

async function studio(options: BrowserContextOptions): Promise<Studio> {
  const opened = await openPage(browser, {
    baseURL: `http://${ADDRESS}`,
    timezoneId: ZONE,
    locale: "en-GB",
    reducedMotion: "reduce",
    deviceScaleFactor: 2,
    ...options,
  });
  const { page, problems, close } = opened;
  return {
    page,
    async take(name) {
      await page.evaluate(() => document.fonts.ready);
      const picture = await page.screenshot({ animations: "disabled" });
      writeFileSync(join(PICTURES, `${name}.png`), compressed(picture));
      // One of the pictures is taken without a line.
      expect(problems.filter((text) => !text.includes("ERR_INTERNET_DISCONNECTED"))).toEqual([]);
      await close();
    },
  };
}

/** The conversation of the script, on the screen of its person. */
async function openHut(options: BrowserContextOptions): Promise<Studio> {
  const { page, take } = await studio(options);
  await stopTime(page, server.url);
  await logIn(page, PEOPLE[ME].username);
  await page.goto(`/#/c/${hut}`);
  await ready(page);
  await page.getByText("🎿🏔️").last().waitFor();
  // Nothing is below the pointer.
  await page.mouse.move(0, 0);
  return { page, take };
}

picture("a conversation in light", async () => {
  const { page, take } = await openHut({ ...DESK, colorScheme: "light" });
  const { composer } = chatting({ page, problems: [], close: async () => undefined });
  await page.getByRole("link", { name: /Ann-Kathrin Berg/ }).click();
  await composer.fill("Monday after six works for");
  await page.getByRole("link", { name: /Hut weekend/ }).click();
  await page.getByText("Draft:").waitFor();
  await composer.fill("Shall I bring the long rope as well?");
  await take("chat-light");
});

picture("a conversation in dark, with its members", async () => {
  const viewport = { width: 1400, height: 800 };
  const { page, take } = await openHut({ viewport, colorScheme: "dark" });
  await page.getByRole("button", { name: "Details" }).click();
  await page.getByText("@yuki.tanaka").waitFor();
  // The end of the conversation stays in view beside them.
  const box = await page.getByRole("textbox", { name: /^Message to/ }).boundingBox();
  expect(box?.y).toBeLessThan(viewport.height);
  await take("chat-dark");
});

picture("a conversation on a phone", async () => {
  const { take } = await openHut({ ...PHONE, colorScheme: "light" });
  await take("chat-phone");
});

picture("messages that wait for the line", async () => {
  const { page, take } = await openHut({ ...DESK, colorScheme: "light" });
  const { write, row } = chatting({ page, problems: [], close: async () => undefined });
  await page.context().setOffline(true);
  await write("Radios are in my bag.");
  await write("I'm in the tunnel for a while, see you at the station!");
  await page.getByText(/2 messages will be sent/).waitFor();
  await row("tunnel").waitFor();
  await take("offline");
});

picture("the page of the guarantees", async () => {
  const { page, take } = await studio({ viewport: { width: 1200, height: 900 } });
  await startDemonstration(page);
  await press(page, "Lose the ack");
  await press(page, "Cut the line");
  await press(page, "Send 20 from both");
  await page.mouse.move(0, 0);
  await take("guarantees");
});

picture("the page of the API", async () => {
  const { page, take } = await studio({ viewport: { width: 1200, height: 900 } });
  await page.goto("/docs/#sendMessage");
  await page.locator("#sendMessage").getByText(ADDRESS).first().waitFor();
  // The end of the section before it is not seen.
  await page.evaluate(() => scrollBy({ top: 48, behavior: "instant" }));
  await take("docs");
});
