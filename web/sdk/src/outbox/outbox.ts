/**
 * Everything that is not acknowledged, over all conversations, and what a reload or a closed tab
 * leaves behind.
 *
 * Each tab sends its own items and holds a lock while it lives. An item of a tab whose lock is
 * free has no owner: the first tab that gets this lock adopts it. Two tabs that send the same
 * item are harmless, because the id is the same.
 */
import type { Http } from "../api/http.js";
import { newId } from "../id.js";
import type { Clock, Locks } from "../platform/ports.js";
import { writable } from "../readable.js";
import type { UserStore } from "../storage/user_store.js";
import type { Outbox, Outgoing, SendInput } from "../types.js";
import type { User } from "../wire/api.js";
import type { LaneInput } from "./lane.js";
import { LaneHost, type LanePeer, type StoredItem } from "./lane_host.js";
import type { OutgoingItem } from "./outgoing.js";

export interface OutboxDeps {
  clock: Clock;
  random: () => number;
  http: Http;
  locks: Locks;
  /** The id of this tab. */
  tab: string;
  user(): User | null;
  store(): UserStore | null;
}

export class OutboxHost implements Outbox {
  readonly items = writable<readonly Outgoing[]>([]);
  readonly paused = writable<null | "offline" | "signed-out" | "storage">(null);
  readonly #lanes = new Map<number, LaneHost>();
  readonly #watched = new Set<string>();
  #release: (() => void) | null = null;
  #paused = true;
  #lastCreatedAt = 0;

  constructor(
    readonly deps: OutboxDeps,
    /** The timeline and stream of a conversation. */
    readonly peer: (conversationId: number) => LanePeer,
    /** A conversation has items to send, or has none any more. */
    readonly waiting: (conversationId: number, waiting: boolean) => void,
  ) {}

  lane(conversationId: number): LaneHost {
    let lane = this.#lanes.get(conversationId);
    if (!lane) {
      const created: LaneHost = new LaneHost(
        conversationId,
        this.deps,
        this.peer(conversationId),
        () => this.#changed(created),
        this.#paused,
      );
      lane = created;
      this.#lanes.set(conversationId, lane);
    }
    return lane;
  }

  send(conversationId: number, input: SendInput): OutgoingItem {
    // Items sort by this time: it grows with every send, also when the clock does not.
    const now = Math.max(this.deps.clock.now(), this.#lastCreatedAt + 1);
    this.#lastCreatedAt = now;
    return this.lane(conversationId).add({
      id: input.clientMessageId ?? newId(),
      text: input.text,
      replyTo: input.replyTo ?? null,
      mentions: input.mentions ?? [],
      createdAt: now,
      queuedAt: now,
      transmitted: false,
      status: "queued",
      error: null,
    });
  }

  /** Takes the lock of this tab, and looks for items that tabs before it left. */
  async open(store: UserStore): Promise<void> {
    if (!this.#release) {
      const held = new Promise<void>((resolve) => (this.#release = resolve));
      const name = this.#lockName(store, this.deps.tab);
      void this.deps.locks.request(name, {}, () => held);
    }
    for (const lane of this.#lanes.values()) lane.persist();
    await this.sweep();
  }

  /** Begins to transmit: from here on the token is certainly that of the sender. */
  begin(): void {
    this.#paused = false;
    this.broadcast({ on: "continue" });
  }

  /** Adopts the items of tabs that are gone; for those of living tabs, waits for their end. */
  async sweep(): Promise<void> {
    const store = this.deps.store();
    if (!store) return;
    const stored = await store.list<StoredItem>("outbox");
    for (const tab of new Set(stored.map(([, item]) => item.tab))) {
      if (tab === this.deps.tab) continue;
      const name = this.#lockName(store, tab);
      if (this.#watched.has(name)) continue;
      this.#watched.add(name);
      void this.deps.locks.request(name, {}, async () => {
        this.#watched.delete(name);
        if (this.#release && this.deps.store() === store) await this.#adopt(store, tab);
      });
    }
  }

  async #adopt(store: UserStore, tab: string): Promise<void> {
    const stored = await store.list<StoredItem>("outbox");
    const left = stored.filter(([, item]) => item.tab === tab);
    const mine = left.map(([key, item]) => ({ key, value: { ...item, tab: this.deps.tab } }));
    await store.write(mine);
    for (const { key, value } of mine) {
      const { conversationId, tab: _, ...item } = value;
      this.#lastCreatedAt = Math.max(this.#lastCreatedAt, item.createdAt);
      this.lane(conversationId).adopt(item, key);
    }
  }

  /** Ends transmission. The items stay in storage. */
  close(): void {
    this.#paused = true;
    this.broadcast({ on: "pause" });
    for (const lane of this.#lanes.values()) lane.stop();
    this.#release?.();
    this.#release = null;
  }

  /** Forgets the items of a user, whose storage keeps them. */
  clear(): void {
    // To the same user, later, they are those of a tab that is gone.
    this.deps.tab = newId();
    for (const lane of this.#lanes.values()) lane.clear();
  }

  broadcast(input: LaneInput): void {
    for (const lane of this.#lanes.values()) lane.input(input);
  }

  #changed(lane: LaneHost): void {
    this.waiting(lane.conversationId, lane.pending);
    const items = [...this.#lanes.values()].flatMap((each) => [...each.outgoing.values()]);
    items.sort((a, b) => a.createdAt - b.createdAt);
    const known = this.items.get();
    if (items.length !== known.length || items.some((item, at) => item !== known[at])) {
      this.items.set(items);
    }
  }

  #lockName(store: UserStore, tab: string): string {
    return `colloquy-outbox:${store.userId}:${tab}`;
  }
}
