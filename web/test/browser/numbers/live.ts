// A conversation in which much happens: typing while messages arrive, a flood of messages, and the return of
// a line after many were missed.
import type { Page } from "playwright-core";

import type { Account } from "../harness.ts";
import { seed, type Chatting } from "../chat_harness.ts";
import "./probe.ts";

/** Types so many keys. Returns how long each took to be painted, in steps of 8 ms and at least 16. */
export async function typeKeys({ page, composer }: Chatting, count: number): Promise<number[]> {
  await composer.fill("");
  await page.evaluate(() => void (probe.keys.length = 0));
  await composer.focus();
  for (let key = 0; key < count; key++) {
    await page.keyboard.press("abcdefghij "[key % 11] as string);
    await page.waitForTimeout(TYPING_MS);
  }
  const slow = await page.evaluate(() => probe.keys);
  return [...slow, ...Array<number>(Math.max(0, count - slow.length)).fill(16)];
}

/** Faster than anyone types. */
const TYPING_MS = 60;

interface Newest {
  readonly seq: number;
  readonly number: number;
  readonly id: number;
}

/**
 * Gives the page messages as its newest socket would: so many in each of several frames. Returns how long
 * the frames took. The server has none of them, so the page is of no use afterwards.
 */
export const flood = (
  page: Page,
  sender: Account,
  newest: Newest,
  perFrame: number,
  frames: number,
): Promise<number[]> =>
  page.evaluate(
    ({ sender, newest, perFrame, frames }) => {
      const socket = probe.socket!;
      const message = (at: number) => ({
        type: "message",
        seq: newest.seq + at,
        number: newest.number + at,
        message_id: newest.id + at,
        message: `Message ${at} of many that arrive at once`,
        sender_id: sender.id,
        sender: sender.username,
        timestamp: new Date().toISOString(),
        client_message_id: null,
        reply_to: null,
        mentions: [],
        version: 1,
      });
      return probe.frames(frames, (frame) => {
        const first = frame * perFrame + 1;
        const events = Array.from({ length: perFrame }, (_, at) => message(first + at));
        const data = JSON.stringify({ type: "batch", events });
        socket.dispatchEvent(new MessageEvent("message", { data }));
      });
    },
    { sender, newest, perFrame, frames },
  );

/** Loses the line, misses messages, and returns. The result is the longest task until they are shown. */
export async function resume(
  page: Page,
  sender: Account,
  conversationId: number,
  texts: readonly string[],
): Promise<number> {
  await page.context().setOffline(true);
  await page.evaluate(() => probe.socket?.close());
  await seed(sender, conversationId, texts);
  await page.evaluate(() => void (probe.longTasks.length = 0));
  await page.context().setOffline(false);
  await page.evaluate(async (text) => {
    const last = () => [...document.querySelectorAll("li[data-number]")].at(-1);
    while (!last()?.textContent.includes(text)) await probe.frames(1, () => undefined);
    // The observer reports a task after its end.
    await probe.frames(3, () => undefined);
  }, texts.at(-1)!);
  const tasks = await page.evaluate(() => probe.longTasks);
  return Math.max(SHORT_TASK_MS, ...tasks);
}

/** Shorter tasks are not reported. */
const SHORT_TASK_MS = 50;
