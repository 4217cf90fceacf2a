// The numbers that the client is held to, measured in Chromium: on this machine, and as on a device with a
// quarter of its speed. Needs a server without a throttle, and the machine for itself.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { chatting, ready, seed, type Chatting } from "../chat_harness.ts";
import {
  createAccount,
  createConversation,
  launch,
  logIn,
  openPage,
  SERVER,
  type Account,
} from "../harness.ts";
import { Devtools } from "./devtools.ts";
import { flood, resume, typeKeys } from "./live.ts";
import { firstVisit, nextVisit, type Load } from "./loading.ts";
import { watch } from "./probe.ts";
import { quantile, Report } from "./report.ts";
import { countNodes, insertAbove, scrollToStart, scrollUp } from "./scrolling.ts";
import { write } from "./writer.ts";

const ROUNDS = 5;
const LONG = 10_000;
const CONVERSATIONS = 50;
/** More than a window holds at first, and enough to fill the screen. */
const MESSAGES = 80;

const report = new Report();
let browser: Browser;
let ann: Account;
let bob: Account;
/** Fifty conversations, all of which fill the screen, and one with ten thousand messages. */
let ids: number[];
let long: number;
let problems = 0;

beforeAll(async () => {
  browser = await launch();
  ann = await createAccount("ann", { first: "Ann", last: "Berg" });
  bob = await createAccount("bob");
  long = await conversation("Ten thousand", LONG);
  ids = [];
  for (let at = 0; at < CONVERSATIONS; at++) ids.push(await conversation(`Talk ${at}`, MESSAGES));
}, 300_000);

afterAll(async () => {
  await browser.close();
  report.finish();
});

async function conversation(name: string, messages: number): Promise<number> {
  const { id } = await createConversation(ann, [bob.id], name);
  await seed(
    bob,
    id,
    Array.from({ length: messages }, (_, at) => textOf(at + 1)),
  );
  return id;
}

/** Texts of different heights. */
const textOf = (number: number): string =>
  number % 7 === 0
    ? `Message ${number}\n${"with more lines\n".repeat(number % 5)}end`
    : `Message ${number}`;

/** Opens a conversation on a page that is measured. */
async function open(conversationId: number, height = 720): Promise<Chatting> {
  const watched = await openPage(browser, { viewport: { width: 1280, height } });
  await watch(watched.page);
  await logIn(watched.page, ann.username, `#/c/${conversationId}`);
  await ready(watched.page);
  await watched.page.locator("li[data-key]").first().waitFor();
  return chatting(watched);
}

async function end({ problems: noted, close }: Chatting): Promise<void> {
  // What `resume` causes by taking the line away and closing a socket that the page still uses.
  const caused = /ERR_INTERNET_DISCONNECTED|WebSocket is already in CLOSING or CLOSED state/;
  const found = noted.filter((text) => !caused.test(text));
  expect.soft(found).toEqual([]);
  problems += found.length;
  await close();
}

async function repeat<T>(run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < ROUNDS; round++) results.push(await run());
  return results;
}

const largestShift = (loads: readonly Load[]) => Math.max(...loads.map(({ shift }) => shift));
const firstPaints = (loads: readonly Load[]) => loads.map(({ firstPaint }) => firstPaint);

test("a page is shown and usable soon on a slow device and line", async () => {
  const visitor = await openPage(browser);
  await watch(visitor.page);
  const welcome = await repeat(() => firstVisit(visitor.page, ""));
  await end(chatting(visitor));

  const a = await open(ids[0]!);
  const first = await repeat(() => firstVisit(a.page, `#/c/${ids[0]}`));
  await a.page.keyboard.type("Hi");
  expect(await a.composer.inputValue()).toBe("Hi");
  await a.composer.fill("");
  const next = await repeat(() => nextVisit(a.page, `#/c/${ids[0]}`));
  await end(a);

  report.median("first contentful paint, first visit, 4×, slow line", 1500, firstPaints(welcome));
  report.median("… of a conversation", 1500, firstPaints(first));
  report.median(
    "usable, first visit, 4×, slow line",
    2500,
    first.map(({ usable }) => usable),
  );
  report.median(
    "usable, with the files in the cache, 4×, slow line",
    1000,
    next.map(({ usable }) => usable),
  );
  report.exact(
    "layout shift (CLS) of a visit, the largest",
    0.02,
    largestShift([...welcome, ...first, ...next]),
  );
});

test("keys are painted at once while messages arrive", async () => {
  const a = await open(ids[1]!);
  await (await Devtools.of(a.page)).slowDown(4);
  const stop = await write(bob, ids[1]!, 50);
  const keys = await repeat(() => typeKeys(a, 30));
  stop();
  await end(a);
  report.median(
    "key press to paint, p95, 4×, 50 messages/s",
    50,
    keys.map((times) => quantile(times, 0.95)),
  );
});

test("a flood of messages leaves the page usable", async () => {
  const newest = await newestOf(ids[2]!);
  const a = await open(ids[2]!);
  await (await Devtools.of(a.page)).slowDown(4);
  const rounds = await repeat(async () => {
    const times = await flood(a.page, bob, newest, 20, 100);
    // The server knows none of these messages.
    await a.page.reload();
    await a.page.locator(`li[data-number='${newest.number}']`).waitFor();
    await ready(a.page);
    return times;
  });
  await end(a);
  report.median(
    "20 messages a frame, 4×, p50",
    60,
    rounds.map((times) => quantile(times, 0.5)),
  );
  report.median(
    "20 messages a frame, 4×, p95",
    170,
    rounds.map((times) => quantile(times, 0.95)),
  );
});

async function newestOf(id: number): Promise<{ seq: number; number: number; id: number }> {
  const response = await fetch(`${SERVER}/api/chat/conversations/${id}/messages/?limit=1`, {
    headers: { authorization: `Bearer ${ann.access}` },
  });
  const { messages, as_of_seq } = (await response.json()) as {
    messages: { number: number; id: number }[];
    as_of_seq: number;
  };
  return { ...messages[0]!, seq: as_of_seq };
}

test("missed messages are shown without a long task", async () => {
  const a = await open(ids[3]!);
  await (await Devtools.of(a.page)).slowDown(4);
  let round = 0;
  const tasks = await repeat(() => {
    round++;
    const texts = Array.from({ length: 300 }, (_, at) => `Missed ${at + 1} in round ${round}.`);
    return resume(a.page, bob, ids[3]!, texts);
  });
  await end(a);
  report.median("longest task while resuming 300 events, 4×", 100, tasks);
});

test("ten thousand messages are scrolled smoothly and stay small", async () => {
  const a = await open(long);
  const devtools = await Devtools.of(a.page);
  const plain = await repeat(() => scrollUp(a.page, 200));
  await devtools.slowDown(4);
  const slow = await repeat(() => scrollUp(a.page, 200));
  await devtools.slowDown(1);
  await scrollToStart(a.page);
  report.median(
    "scroll, 120 px a frame, p95",
    17.5,
    plain.map((times) => quantile(times, 0.95)),
  );
  report.median(
    "scroll, longest frame",
    50,
    plain.map((times) => Math.max(...times)),
  );
  report.median(
    "scroll, 4×, p95",
    50,
    slow.map((times) => quantile(times, 0.95)),
  );
  const over = slow.map((times) => (100 * times.filter((time) => time > 34).length) / times.length);
  report.median("scroll, 4×, frames over 34 ms", 10, over, "%");
  report.exact("DOM nodes with 10,000 messages", 3_500, await countNodes(a.page));
  report.median("heap with 10,000 messages, after collection", 40, [await devtools.heap()], "MB");
  await end(a);
});

test("rows that are inserted above do not move what is read", async () => {
  const a = await open(long, 900);
  const errors = await repeat(() => insertAbove(a.page, 60));
  report.exact("position error after 60 rows above", 1, Math.max(...errors), "px");
  await end(a);
});

test("memory does not grow with every visit of a conversation", async () => {
  const a = await open(ids[0]!);
  const devtools = await Devtools.of(a.page);
  const before = await devtools.heap();
  const heaps: number[] = [];
  for (let round = 0; round < 3; round++) {
    for (const id of [...ids.slice(1), ids[0]!]) {
      await a.page.evaluate((hash) => void (location.hash = hash), `#/c/${id}`);
      await a.page.waitForFunction(shown, id);
    }
    heaps.push((await devtools.heap()) - before);
  }
  report.median("heap growth, 3 rounds over 50 conversations", 3, heaps.slice(-1), "MB");
  await end(a);
});

/** Runs in the page: the messages of this conversation are shown. */
function shown(id: number): boolean {
  const current = document.querySelector("nav a[aria-current='page']");
  return (
    current?.getAttribute("href") === `#/c/${id}` &&
    document.querySelector(".timeline[aria-busy='false'] li[data-number]") !== null
  );
}

test("nothing moves by itself while messages arrive", async () => {
  const a = await open(ids[4]!);
  const stop = await write(bob, ids[4]!, 20);
  await a.row("types, 10").waitFor();
  await a.page.getByRole("link", { name: /Talk 30/ }).click();
  await a.row("Message 80").waitFor();
  stop();
  const shift = await a.page.evaluate(() => probe.layoutShift);
  await end(a);
  report.exact("layout shift (CLS) while messages arrive and another chat is opened", 0.02, shift);
});

test("no page of these did what it must not", () => {
  report.exact("console errors, policy violations, requests to other hosts", 0, problems);
});
