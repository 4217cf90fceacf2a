/** The whole timeline of a conversation, as a person who scrolls through it sees it. */
import type { Client, Conversation, Message, Result, TimelineRow } from "../../src/index.js";

/** Rows that a step of scrolling adds. */
const STEP = 100;

export interface Position {
  seq: number;
  number: number;
}

/** Rows that are no messages of the server. */
export interface Other {
  echoes: number;
  holes: number;
}

/** Waits for everything up to `position`, then passes every message from the first one on. */
export async function showAll(
  client: Client,
  conversation: Conversation,
  position: Position,
  show: (message: Message) => void,
): Promise<Other> {
  await reached(client, conversation, position);
  const { timeline } = conversation;
  const other: Other = { echoes: 0, holes: 0 };
  let last = 0;
  await again(() => timeline.around(1));
  for (;;) {
    const { rows, atEnd } = timeline.window.get();
    // The rows that the step has added.
    for (const row of rows.filter((each) => numberOf(each) > last)) {
      if (row.kind === "message") show(row.message);
      else count(row, other);
    }
    last = Math.max(last, ...rows.map(numberOf).filter(Number.isFinite));
    if (atEnd) return other;
    await again(() => timeline.later(STEP));
  }
}

function count({ kind }: TimelineRow, other: Other): void {
  if (kind === "echo") other.echoes++;
  if (kind === "hole") other.holes++;
}

/** Echo rows come after every number; changes of members have none of their own. */
function numberOf(row: TimelineRow): number {
  switch (row.kind) {
    case "message":
      return row.message.number;
    case "hole":
      return row.to;
    case "echo":
      return Infinity;
    case "member":
      return -Infinity;
  }
}

/** Resolves when the conversation is live, and has everything up to the position. */
function reached(client: Client, { id, state, timeline }: Conversation, to: Position) {
  const done = (): boolean => {
    const stream = client.diagnostics().streams.find((each) => each.conversationId === id);
    const { lastNumber } = timeline.window.get();
    return state.get().name === "live" && (stream?.seq ?? 0) >= to.seq && lastNumber >= to.number;
  };
  return new Promise<void>((resolve) => {
    const stops: (() => void)[] = [];
    const look = (): void => {
      if (!done()) return;
      queueMicrotask(() => stops.forEach((stop) => stop()));
      resolve();
    };
    stops.push(state.subscribe(look), timeline.window.subscribe(look), client.on("event", look));
  });
}

/** Repeats a request until it is answered. */
async function again(request: () => Promise<Result<void>>): Promise<void> {
  while (!(await request()).ok) await new Promise((resolve) => setTimeout(resolve, 300));
}
