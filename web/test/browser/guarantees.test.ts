// The page where people break things: every button leaves the ledger equal, and so does every seeded plan.
//
// GUARANTEE_PLANS is the number of plans. With a throttle on the server everything works and takes longer.
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { focusName, tabTo } from "./focus.ts";
import {
  experiment,
  expectEqual,
  number,
  press,
  RUN_MS,
  startDemonstration,
} from "./guarantees_harness.ts";
import { createAccount, launch, openPage, PASSWORD, EVERY_HOST } from "./harness.ts";

const PLANS = Number(process.env["GUARANTEE_PLANS"] ?? 20);

let browser: Browser;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser.close());

/** What the page says of each experiment. Two pages share them: each experiment mostly waits. */
const EXPERIMENTS: readonly (readonly [title: string, seen: RegExp][])[] = [
  [
    ["Send 20 from both", /40 messages, one order/],
    ["Cut the line", /Ben's phone noticed the silence by itself/],
    ["Lose the ack", /answered with duplicate: true/],
    ["Send one id twice", /Both ways returned message \d+/],
    ["Slow the line", /Late, complete and in order/],
    ["Remove a member", /Closed with 4403\. Nothing from after the removal/],
  ],
  [
    ["Miss 299 messages", /299 messages missed\. One resume brought them/],
    ["Miss 301 messages", /301 messages missed\. The phone read the history/],
    ["Edit and delete while away", /the newest version of each text/],
    ["Let the token end", /A new token on the same socket/],
    ["End the login", /closed with 4401, the other stayed/],
  ],
];

test(
  "every button leaves the ledger equal, and says what was seen",
  { ...EVERY_HOST, timeout: 10 * RUN_MS },
  async () => {
    const stored = await Promise.all(EXPERIMENTS.map(pressEach));
    expect(Math.min(...stored)).toBeGreaterThan(40);
    expect(Math.max(...stored)).toBeGreaterThan(600);
  },
);

/** Returns how many messages are stored at the end. */
async function pressEach(experiments: readonly [title: string, seen: RegExp][]): Promise<number> {
  const { page, problems, close } = await openPage(browser);
  await startDemonstration(page);
  for (const [title, seen] of experiments) {
    expect(await press(page, title)).toMatch(seen);
    await expectEqual(page);
  }
  const stored = await number(page, "stored");
  expect(problems).toEqual([]);
  await close();
  return stored;
}

test("an acknowledgement that comes before its message is not taken for a lost message", async () => {
  const { page, problems, close } = await openPage(browser);
  await page.routeWebSocket(/\/ws\/chat\//, (line) => {
    line.connectToServer().onMessage((frame) => {
      const late = String(frame).includes('"type":"message"');
      setTimeout(() => line.send(frame), late ? 400 : 0);
    });
  });
  await startDemonstration(page);
  expect(await press(page, "Send one id twice")).toMatch(/Both ways returned message \d+/);
  await expectEqual(page);
  expect(problems).toEqual([]);
  await close();
});

/** How many pages run plans at the same time: a plan mostly waits. */
const LANES = 2;

test(
  `${PLANS} seeded plans leave the ledger equal`,
  { ...EVERY_HOST, timeout: (PLANS + 1) * RUN_MS },
  async () => {
    const lane = async (first: number): Promise<void> => {
      const { page, problems, close } = await openPage(browser);
      for (let seed = first; seed <= PLANS; seed += LANES) {
        const hash = `#/seed/${seed.toString(16)}`;
        if (seed === first) await startDemonstration(page, hash);
        else await page.goto(`/guarantees/${hash}`);
        await planEnds(page, seed);
        await expectEqual(page);
      }
      expect(problems).toEqual([]);
      await close();
    };
    await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at + 1)));
  },
);

async function planEnds(page: Page, seed: number): Promise<void> {
  const shuffle = page.getByRole("region", { name: "Shuffle" });
  await shuffle.getByText(seed.toString(16).padStart(8, "0")).waitFor();
  await shuffle.getByText(/^(Agreed|Differed|Not settled)$/).waitFor({ timeout: RUN_MS });
  const steps = await shuffle.getByRole("listitem").allTextContents();
  expect(await shuffle.getByText("Agreed").count(), steps.join("; ")).toBe(1);
}

test("the same seed is the same plan, and the address names the seed that runs", async () => {
  const { page, close } = await openPage(browser);
  await startDemonstration(page);
  const shuffle = page.getByRole("region", { name: "Shuffle" });
  const verdict = shuffle.getByText("Agreed");
  await shuffle.getByRole("button", { name: "Shuffle" }).click();
  await verdict.waitFor({ timeout: RUN_MS });
  const plan = await shuffle.getByRole("listitem").allTextContents();
  const seed = /#\/seed\/([0-9a-f]{8})$/.exec(page.url())?.[1] ?? "";
  expect(await shuffle.textContent()).toContain(seed);

  const { page: other, close: closeOther } = await openPage(browser);
  await startDemonstration(other, `#/seed/${seed}`);
  const repeated = other.getByRole("region", { name: "Shuffle" });
  await repeated.getByText("Agreed").waitFor({ timeout: RUN_MS });
  expect(await repeated.getByRole("listitem").allTextContents()).toEqual(plan);
  await closeOther();
  await close();
});

test("a phone whose line is cut by hand keeps what is written, and sends it when it is back", async () => {
  const { page, problems, close } = await openPage(browser);
  await startDemonstration(page);
  const ben = page.getByRole("region", { name: "Ben's phone", exact: true });
  await ben.getByRole("button", { name: "Cut Ben's line" }).click();
  await ben.getByText("Looks live").waitFor();
  await ben.getByLabel("Write as Ben").fill("Written in the tunnel");
  await ben.getByLabel("Write as Ben").press("Enter");
  await ben.getByText("1 message waiting").waitFor();
  const ann = page.getByRole("region", { name: "Ann's phone", exact: true });
  await ann.getByLabel("Write as Ann").fill("Are you there?");
  await ann.getByRole("button", { name: "Send" }).click();
  await ann.locator('[data-number="1"]').waitFor();
  expect(await page.getByTestId("verdict").textContent()).toContain("Still on its way");
  await ben.getByRole("button", { name: "Restore Ben's line" }).click();
  for (const phone of [ann, ben]) {
    await phone.locator('[data-number="2"]', { hasText: "Written in the tunnel" }).waitFor();
  }
  await page.getByTestId("verdict").getByText("Everything agrees").waitFor();
  expect(await expectEqual(page)).toBe(2);
  expect(problems).toEqual([]);
  await close();
});

test("the frame log shows, filters, copies and downloads without a secret", async () => {
  const { page, problems, close } = await openPage(browser, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await startDemonstration(page);
  await press(page, "Let the token end");
  const log = page.getByRole("list", { name: "Frames and requests" });
  await log.getByText("from this page").waitFor();
  await page.getByRole("checkbox", { name: "REST" }).check();
  await page.getByLabel("Search").fill("token/refresh");
  await expect.poll(() => log.getByRole("listitem").count()).toBeGreaterThan(1);
  await log
    .getByRole("button", { name: /POST \/api\/users\/token\/refresh/ })
    .last()
    .click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(
    /^curl -sS -X POST .*token\/refresh\/.*\{"refresh":"<token>"\}'$/,
  );
  await page.getByLabel("Search").fill("");
  await page.getByRole("checkbox", { name: "REST" }).uncheck();
  await log
    .getByRole("button", { name: /send.*says/ })
    .first()
    .click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^wscat -c 'ws/);

  await page.getByRole("checkbox", { name: "REST" }).check();
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download NDJSON" }).click();
  const text = await readFile(await (await downloading).path(), "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { who: string });
  expect(lines.length).toBeGreaterThan(20);
  expect(new Set(lines.map(({ who }) => who))).toEqual(new Set(["Ann", "Ben", "REST"]));
  // Every token of this server begins with the header of a JWT.
  expect(text).not.toMatch(/eyJ|@example\.com|"password":"p-/);
  expect(problems).toEqual([]);
  await close();
});

test("where registration is closed, two people log in", async () => {
  const [ann, ben] = [await createAccount("ann"), await createAccount("ben")];
  const { page, problems, close } = await openPage(browser);
  await page.route("**/api/config/", (route) =>
    route.fulfill({ json: { registration: "closed" } }),
  );
  await page.goto("/guarantees/");
  const people = page.getByRole("group");
  await page.getByText("This server accepts no new accounts").waitFor();
  const start = page.getByRole("button", { name: "Start" });
  for (const [at, name] of [ann.username, ann.username].entries()) {
    await people.nth(at).getByLabel("Username").fill(name);
    await people.nth(at).getByLabel("Password", { exact: true }).fill(PASSWORD);
  }
  await start.click();
  await page.getByRole("alert").getByText("Two different people are needed.").waitFor();
  await people.nth(1).getByLabel("Username").fill(ben.username);
  await people.nth(1).getByLabel("Password", { exact: true }).fill("wrong");
  await start.click();
  await page.getByRole("alert").getByText("That did not work").waitFor();
  await people.nth(1).getByLabel("Password", { exact: true }).fill(PASSWORD);
  await start.click();
  await page.getByTestId("Ben-status").getByText("Live").waitFor();
  expect(await press(page, "Lose the ack")).toContain("Agreed");
  await expectEqual(page);
  expect(problems).toEqual([]);
  await close();
});

test("with the keyboard alone: start, break a line, write, run an experiment, copy a frame", async () => {
  const { page, problems, close } = await openPage(browser, {
    viewport: { width: 1280, height: 800 },
  });
  await page.goto("/guarantees/");
  await tabTo(page, /^Start$/);
  await page.keyboard.press("Enter");
  await page.getByTestId("Ben-status").getByText("Live").waitFor();
  await tabTo(page, /^Lose the ack/);
  await page.keyboard.press("Enter");
  await experiment(page, "Lose the ack").getByText("Agreed").waitFor({ timeout: RUN_MS });
  expect(await focusName(page)).toMatch(/^Lose the ack/);
  await tabTo(page, /Write as Ann/);
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Enter");
  await page.locator('[data-number="2"]').first().waitFor();
  await tabTo(page, /Cut Ben's line/);
  await page.keyboard.press("Enter");
  await page.getByTestId("Ben-status").getByText("Looks live").waitFor();
  await page.keyboard.press("Enter");
  await page.getByTestId("Ben-status").getByText("Live", { exact: true }).waitFor();
  await tabTo(page, /^Faults$/);
  await page.keyboard.press("Tab");
  const first = await focusName(page);
  await page.keyboard.press("ArrowDown");
  expect(await focusName(page)).not.toBe(first);
  expect(problems).toEqual([]);
  await close();
});
