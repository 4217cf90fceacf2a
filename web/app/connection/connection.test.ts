import type { ConnectionState, Outbox, Outgoing, OutgoingStatus } from "@colloquy/sdk";
import { writable, get } from "svelte/store";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { LineBanner } from "./banner.svelte.ts";
import { unsentCounts, type UnsentCounts } from "./unsent.ts";

/** A store of Svelte as a `Readable` of the SDK. */
function readable<T>(initial: T) {
  const store = writable(initial);
  return { get: () => get(store), subscribe: store.subscribe, set: store.set };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a connection that is lost for less than two seconds is not mentioned", () => {
  const state = readable<ConnectionState>({ name: "live" });
  const banner = new LineBanner();
  banner.follow(state);
  state.set({ name: "waiting", attempt: 1, retryAt: 0, cause: 1006 });
  vi.advanceTimersByTime(1_900);
  state.set({ name: "live" });
  vi.advanceTimersByTime(10_000);
  expect(banner.view).toBe("none");
});

test("a lost connection is shown after two seconds, and its return for two seconds", () => {
  const state = readable<ConnectionState>({ name: "live" });
  const banner = new LineBanner();
  banner.follow(state);
  state.set({ name: "waiting", attempt: 1, retryAt: 0, cause: 1006 });
  vi.advanceTimersByTime(1_000);
  // A new attempt is the same interruption.
  state.set({ name: "connecting" });
  vi.advanceTimersByTime(1_100);
  expect(banner.view).toBe("lost");
  state.set({ name: "live" });
  expect(banner.view).toBe("back");
  vi.advanceTimersByTime(2_100);
  expect(banner.view).toBe("none");
});

test("a client that is stopped while the connection is lost is not up to date", () => {
  const state = readable<ConnectionState>({ name: "connecting" });
  const banner = new LineBanner();
  banner.follow(state);
  vi.advanceTimersByTime(2_100);
  expect(banner.view).toBe("lost");
  state.set({ name: "signed-out", code: "session_revoked" });
  expect(banner.view).toBe("none");
});

test("a page that cannot connect at all says so", () => {
  const banner = new LineBanner();
  banner.follow(readable<ConnectionState>({ name: "connecting" }));
  vi.advanceTimersByTime(2_100);
  expect(banner.view).toBe("lost");
});

function outgoing(conversationId: number, initial: OutgoingStatus) {
  const status = readable<OutgoingStatus>(initial);
  // Only what is counted.
  return { item: { conversationId, status } as unknown as Outgoing, status };
}

test("unsent messages are counted by conversation and follow their status", () => {
  const one = outgoing(1, "queued");
  const two = outgoing(1, "sending");
  const other = outgoing(2, "failed");
  const items = readable<readonly Outgoing[]>([one.item, two.item, other.item]);
  let counts: UnsentCounts | undefined;
  const end = unsentCounts({ items, paused: readable(null) } as Outbox).subscribe(
    (value) => (counts = value),
  );
  expect(counts?.all).toEqual({ waiting: 2, failed: 1 });
  two.status.set("failed");
  expect(counts?.of.get(1)).toEqual({ waiting: 1, failed: 1 });
  one.status.set("sent");
  expect(counts?.of.get(1)).toEqual({ waiting: 0, failed: 1 });
  items.set([]);
  expect(counts?.all).toEqual({ waiting: 0, failed: 0 });
  end();
});
