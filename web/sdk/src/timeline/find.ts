/**
 * Finds a message of a conversation by its id. The server reads a history by `number` only; within a
 * conversation both grow together, so a few pages lead to any message.
 */
import { ok, type Result } from "../result.js";
import type { Message } from "../wire/api.js";

/** A page of the history around a number, oldest first. */
export type ReadAround = (number: number) => Promise<Result<readonly Message[]>>;

/** A hundred messages a page, and half of what is left at each step, reach a billion messages. */
const MAX_PAGES = 24;
const FIRST_STEP = 50;

/** `null` if there is no such message. `last` is the highest number of the conversation. */
export async function findById(
  id: number,
  last: number,
  read: ReadAround,
): Promise<Result<Message | null>> {
  let low = 0;
  let high = last + 1;
  // Quotes are mostly of recent messages: the first steps go back from the end, each twice as far.
  let step = FIRST_STEP;
  for (let pages = 0; pages < MAX_PAGES && low + 1 < high; pages++) {
    const middle = Math.max(low + 1, low === 0 ? high - step : (low + high) >> 1);
    step *= 2;
    const page = await read(middle);
    if (!page.ok) return page;
    const found = page.value.find((message) => message.id === id);
    if (found) return ok(found);
    const [first, newest] = [page.value[0], page.value.at(-1)];
    if (!first || !newest) return ok(null);
    if (first.id > id) high = first.number;
    else if (newest.id < id) low = newest.number;
    else return ok(null);
  }
  return ok(null);
}
