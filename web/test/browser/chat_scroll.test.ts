// The timeline with a thousand messages: what is read stays in place. How fast it is, `numbers` measures.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openChat, seed, type Chatting } from "./chat_harness.ts";
import { createAccount, createConversation, launch, sendMessage, type Account } from "./harness.ts";

const COUNT = 1_000;

let browser: Browser;
let ann: Account;
let bob: Account;
let id: number;

beforeAll(async () => {
  browser = await launch();
  ann = await createAccount("ann");
  bob = await createAccount("bob");
  id = (await createConversation(ann, [bob.id], "A thousand")).id;
  const texts = Array.from({ length: COUNT }, (_, at) => textOf(at + 1));
  await seed(bob, id, texts);
}, 300_000);
afterAll(() => browser.close());

/** Texts of different heights. */
const textOf = (number: number): string =>
  number % 7 === 0
    ? `Message ${number}\n${"with more lines\n".repeat(number % 5)}end`
    : `Message ${number}`;

interface Place {
  readonly number: number;
  readonly offset: number;
}

/** The first row that is visible, and how far it is from the upper edge. */
const topRow = (page: Page): Promise<Place> =>
  page.evaluate(() => {
    const edge = document.querySelector(".scroller")!.getBoundingClientRect().top;
    for (const row of document.querySelectorAll<HTMLElement>("li[data-number]")) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom > edge) return { number: Number(row.dataset["number"]), offset: top - edge };
    }
    throw new Error("no row is visible");
  });

const offsetOf = (page: Page, number: number): Promise<number> =>
  page.evaluate((wanted) => {
    const edge = document.querySelector(".scroller")!.getBoundingClientRect().top;
    const row = document.querySelector(`li[data-number="${wanted}"]`);
    return row ? row.getBoundingClientRect().top - edge : Number.NaN;
  }, number);

const firstLoaded = (page: Page): Promise<number> =>
  page.evaluate(() =>
    Number(document.querySelector<HTMLElement>("li[data-number]")?.dataset["number"]),
  );

/** Everything that is being read has arrived, and the frame is drawn. */
async function settled({ page }: Chatting): Promise<void> {
  await page.locator("li[data-key^='hole:']").waitFor({ state: "detached" });
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

test("rows that are inserted above do not move what is read", async () => {
  const a = await openChat(browser, ann, id);
  await a.row(`Message ${COUNT}`).waitFor();
  for (let round = 0; round < 4; round++) {
    const before = await firstLoaded(a.page);
    // To where reading begins, but not to the edge.
    const place = await a.page.evaluate(() => {
      const scroller = document.querySelector(".scroller")!;
      scroller.scrollTop = scroller.clientHeight * 1.2;
      return scroller.scrollTop;
    });
    expect(place).toBeGreaterThan(0);
    const { number, offset } = await topRow(a.page);
    await expect.poll(() => firstLoaded(a.page)).toBeLessThan(before);
    await settled(a);
    expect(Math.abs((await offsetOf(a.page, number)) - offset)).toBeLessThanOrEqual(1);
  }
  // Messages that come now do not move it either, and are counted.
  const { number, offset } = await topRow(a.page);
  await sendMessage(bob, id, "a new one");
  await a.page.getByRole("button", { name: "1 new message" }).waitFor();
  expect(Math.abs((await offsetOf(a.page, number)) - offset)).toBeLessThanOrEqual(1);
  await a.page.getByRole("button", { name: "1 new message" }).click();
  await a.row("a new one").waitFor();
  await a.page.reload();
  await a.row("a new one").waitFor();
  expect(a.problems).toEqual([]);
  await a.close();
});

test("the place that was read is there again after a reload", async () => {
  const a = await openChat(browser, ann, id);
  await a.row("Message").waitFor();
  await a.page.mouse.move(800, 300);
  for (let step = 0; step < 12; step++) {
    await a.page.mouse.wheel(0, -600);
    await settled(a);
  }
  const { number, offset } = await topRow(a.page);
  await a.page.reload();
  await expect.poll(() => offsetOf(a.page, number)).toBeCloseTo(offset, -0.5);
  await a.close();
});
