// The timeline with ten thousand messages: what is read stays in place, and the page stays small and fast.
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openChat, seed, type Chatting } from "./chat_harness.ts";
import { createAccount, createConversation, launch, sendMessage, type Account } from "./harness.ts";

const COUNT = 10_000;

let browser: Browser;
let ann: Account;
let bob: Account;
let id: number;

beforeAll(async () => {
  browser = await launch();
  ann = await createAccount("ann");
  bob = await createAccount("bob");
  id = (await createConversation(ann, [bob.id], "Ten thousand")).id;
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

interface Frames {
  readonly p50: number;
  readonly p95: number;
  readonly longest: number;
  readonly over34: number;
  readonly nodes: number;
}

/** Scrolls up by 120 px a frame and measures the frames. */
const scrollUp = (page: Page, steps: number): Promise<Frames> =>
  page.evaluate(async (count) => {
    const scroller = document.querySelector(".scroller")!;
    const times: number[] = [];
    let nodes = 0;
    let last = performance.now();
    for (let step = 0; step < count; step++) {
      scroller.scrollBy({ top: -120, behavior: "instant" });
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      times.push(now - last);
      last = now;
      if (step % 50 === 0) nodes = Math.max(nodes, document.querySelectorAll("*").length);
    }
    times.sort((a, b) => a - b);
    const at = (share: number) =>
      Math.round((times[Math.floor(times.length * share)] ?? 0) * 10) / 10;
    return {
      p50: at(0.5),
      p95: at(0.95),
      longest: Math.round(times.at(-1) ?? 0),
      over34: times.filter((time) => time > 34).length / times.length,
      nodes,
    };
  }, steps);

/** Milliseconds of processor time that the main thread of the page has used. */
async function mainThread(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
}

test("scrolling through ten thousand messages is cheap, and the page stays small", async () => {
  const a = await openChat(browser, ann, id);
  await a.row("Message").waitFor();
  const devtools = await a.page.context().newCDPSession(a.page);
  // Time of the thread and not of the clock: other programs of the machine do not count.
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const steps = 600;
  const before = await mainThread(devtools);
  const plain = await scrollUp(a.page, steps);
  const perStep = ((await mainThread(devtools)) - before) / steps;
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const slow = await scrollUp(a.page, 300);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 1 });
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  const heap = Math.round(usedSize / 1e5) / 10;
  console.log(`scroll: ${JSON.stringify({ perStep, plain, slow, heapMb: heap })}`);
  expect(await firstLoaded(a.page)).toBeLessThan(COUNT - 1000);
  expect(plain.nodes).toBeLessThanOrEqual(3_500);
  expect(heap).toBeLessThanOrEqual(40);
  // A frame has 16.7 ms. The frames themselves are recorded: on a busy machine they say little.
  expect(perStep).toBeLessThanOrEqual(14);
  expect(a.problems).toEqual([]);
  await a.close();
});
