import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { NewEntry } from "../log/entries.ts";
import { PhoneClock } from "./clock.ts";
import { Line } from "./line.ts";

/** The real socket, as the browser would have it. */
class Socket extends EventTarget {
  static all: Socket[] = [];
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  readyState = 1;
  readonly sent: string[] = [];
  closed = false;

  constructor(readonly url: string) {
    super();
    Socket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  receive(data: string): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

const SEND = '{"type":"send","message":"x"}';
let entries: NewEntry[];
let line: Line;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Socket);
  Socket.all = [];
  entries = [];
  line = new Line({ record: (entry) => entries.push(entry), changed: () => undefined });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A client's socket with what the client has seen of it. */
function open() {
  const socket = new line.WebSocket("ws://x/", []);
  const seen: unknown[] = [];
  socket.addEventListener("message", ({ data }: { data: string }) => seen.push(data));
  socket.addEventListener("close", ({ code }: { code: number }) => seen.push(code));
  return { socket, seen };
}

test("a silent line keeps both directions, in order, until it is open again", () => {
  const { socket, seen } = open();
  const [real] = Socket.all;
  line.silence();
  socket.send("1");
  socket.send("2");
  real?.receive("a");
  expect([real?.sent, seen]).toEqual([[], []]);
  line.restore();
  socket.send("3");
  expect([real?.sent, seen]).toEqual([["1", "2", "3"], ["a"]]);
});

test("what a client sent into silence leaves even after it has given up the socket", () => {
  const { socket, seen } = open();
  const [real] = Socket.all;
  line.silence();
  socket.send("late");
  socket.close(4002);
  real?.receive("a");
  line.restore();
  expect(real?.sent).toEqual(["late"]);
  expect(real?.closed).toBe(true);
  expect(seen).toEqual([]);
});

test("a socket that is made in silence connects when the line is open again", () => {
  line.silence();
  open();
  expect(Socket.all).toHaveLength(0);
  line.restore();
  expect(Socket.all).toHaveLength(1);
});

test("a line that breaks closes every socket with 1006, and no new one opens", async () => {
  const { seen } = open();
  line.disconnect();
  expect(seen).toEqual([1006]);
  const second = open();
  await Promise.resolve();
  expect(second.seen).toEqual([1006]);
  expect(Socket.all).toHaveLength(1);
});

test("a lost answer is recorded, not delivered, and breaks the connection", () => {
  const { socket, seen } = open();
  const [real] = Socket.all;
  line.loseNextAck(500);
  socket.send(SEND);
  real?.receive('{"type":"message"}');
  real?.receive('{"type":"ack"}');
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(500);
  expect(seen).toEqual([1006]);
  expect(line.losesAck).toBe(false);
  expect(entries.filter((entry) => entry.kind === "frame" && entry.fate === "lost")).toHaveLength(
    2,
  );
});

test("a slow line delays and keeps the order", () => {
  const { socket } = open();
  const [real] = Socket.all;
  line.delay(300);
  socket.send("1");
  vi.advanceTimersByTime(200);
  socket.send("2");
  vi.advanceTimersByTime(100);
  expect(real?.sent).toEqual(["1"]);
  vi.advanceTimersByTime(200);
  expect(real?.sent).toEqual(["1", "2"]);
});

test("a clock that is moved ahead fires what is due, in order, and no timer twice", () => {
  const clock = new PhoneClock();
  const fired: string[] = [];
  clock.after(3_000, () => fired.push("late"));
  clock.after(1_000, () => {
    fired.push("early");
    cancel();
  });
  const cancel = clock.after(2_000, () => fired.push("cancelled"));
  clock.after(20_000, () => fired.push("next"));
  const before = clock.now();
  clock.skip(10_000);
  expect(clock.now() - before).toBe(10_000);
  expect(fired).toEqual(["early", "late"]);
  vi.advanceTimersByTime(10_000);
  expect(fired).toEqual(["early", "late", "next"]);
});
