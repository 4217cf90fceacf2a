// Jumps to a message that is not loaded. What the scroll position does is a matter of the browser tests.
import type { Conversation, Message, Result, TimelineWindow, User } from "@colloquy/sdk";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";

import { toasts } from "../../../ui/toasts.svelte.ts";
import { completeTexts } from "../../i18n/index.ts";
import { TimelineController } from "./controller.svelte.ts";
import { savePosition } from "./position.ts";

const REFUSED = {
  ok: false,
  error: { code: "network", message: "", retryable: true },
} as const;

let moves: string[];
let answers: ((result: Result<void>) => void)[];
let stored: Map<string, string>;

beforeAll(async () => {
  vi.stubGlobal("navigator", { languages: ["en"] });
  vi.stubGlobal("document", { documentElement: {} });
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => queueMicrotask(run));
  await completeTexts();
});

beforeEach(() => {
  moves = [];
  answers = [];
  stored = new Map();
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  for (const { id } of toasts.list) toasts.dismiss(id);
});

/** A timeline whose window has the messages 90 to 92 of a hundred, and where every read can fail. */
function controller(): TimelineController {
  const rows = [90, 91, 92].map((number) => {
    const message = { id: number, number, content: "x", timestamp: "2026-03-01T00:00:00Z" };
    return { kind: "message", key: `message:${number}`, own: false, message: message as Message };
  });
  const view = { rows, atStart: false, atEnd: false, lastNumber: 100, loaded: true };
  const read = (move: string): Promise<Result<void>> => {
    moves.push(move);
    return new Promise((done) => answers.push(done));
  };
  const conversation = {
    id: 7,
    timeline: {
      window: { get: () => view as TimelineWindow },
      around: (number: number) => read(`around ${number}`),
      latest: () => read("latest"),
    },
  };
  // What the controller uses of it while it has no elements.
  return new TimelineController(conversation as unknown as Conversation, { id: 1 } as User);
}

const until = (move: string) => vi.waitFor(() => expect(moves.at(-1)).toBe(move), { interval: 1 });

test("a jump that fails says why, and returns to the end it began at", async () => {
  controller().toMessage(5);
  await until("around 5");
  answers[0]?.(REFUSED);
  await until("latest");
  expect(toasts.list.map(({ text }) => text).join()).toMatch(/not be shown.*cannot be reached/);
});

test("a jump that fails returns to the message it began at", async () => {
  savePosition({ userId: 1, conversationId: 7 }, { number: 40, offset: 10 });
  controller().toMessage(5);
  await until("around 5");
  answers[0]?.(REFUSED);
  await until("around 40");
  expect(toasts.list).toHaveLength(1);
  // An earlier place that cannot be read is not worth a sentence.
  answers[1]?.(REFUSED);
  await until("latest");
  expect(toasts.list).toHaveLength(1);
});

test("a jump that was given up says nothing when it fails", async () => {
  const timeline = controller();
  timeline.toMessage(5);
  await until("around 5");
  void timeline.toEnd();
  expect(moves.at(-1)).toBe("latest");
  answers[0]?.(REFUSED);
  // What follows from the answer runs in microtasks, all of them before this.
  await new Promise((done) => setImmediate(done));
  expect(toasts.list).toHaveLength(0);
});

test("a second jump that fails returns to where the first began", async () => {
  savePosition({ userId: 1, conversationId: 7 }, { number: 40, offset: 10 });
  const timeline = controller();
  timeline.toMessage(5);
  await until("around 5");
  timeline.toMessage(6);
  answers[0]?.(REFUSED);
  await until("around 6");
  answers[1]?.(REFUSED);
  await until("around 40");
});
