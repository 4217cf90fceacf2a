/** Performs the effects of one conversation's `Lane`: storage, timers, socket and REST. */
import { sendMessage } from "../api/chat.js";
import type { StorageChange } from "../platform/ports.js";
import { Timers } from "../platform/timers.js";
import { fail, type ChatError } from "../result.js";
import type { Sent } from "../types.js";
import type { Message } from "../wire/api.js";
import type { Ack, Limits, Send } from "../wire/socket.js";
import { Lane, type Item, type LaneEffect, type LaneInput, type LaneTimer } from "./lane.js";
import type { OutboxDeps } from "./outbox.js";
import { OutgoingItem } from "./outgoing.js";

/** What the lane needs of the conversation's stream and timeline. */
export interface LanePeer {
  transmit(sends: readonly Send[]): void;
  check(): void;
  /** Shows a stored message. Returns what to write with the removal of the item. */
  acknowledged(message: Message): StorageChange[];
  /** There are other items now. */
  echoesChanged(): void;
}

/** A stored item, as storage has it. */
export interface StoredItem extends Item {
  conversationId: number;
  /** The tab that sends it. */
  tab: string;
}

export class LaneHost {
  readonly outgoing = new Map<string, OutgoingItem>();
  #lane: Lane;
  readonly #timers: Timers<LaneTimer>;
  /** Items enter the lane in the order of the sends, whichever write is done first. */
  #added: Promise<void> = Promise.resolve();
  /** Changes with every socket: a transmission prepared for an older one is not sent. */
  #line = 0;

  constructor(
    readonly conversationId: number,
    readonly deps: OutboxDeps,
    readonly peer: LanePeer,
    readonly changed: () => void,
    paused: boolean,
  ) {
    this.#lane = new Lane(deps.random, paused);
    this.#timers = new Timers(deps.clock, (name) => this.input({ on: "timer", name }));
  }

  /** Whether anything waits to be sent. */
  get pending(): boolean {
    return this.#lane.items.some((item) => item.status !== "failed");
  }

  add(item: Item): OutgoingItem {
    const known = this.outgoing.get(item.id);
    if (known && sameMessage(known.item, item)) {
      known.retry();
      return known;
    }
    const error = known ? CONFLICT : CLIENT_MESSAGE_ID.test(item.id) ? null : BAD_ID;
    if (error) return new OutgoingItem(this.conversationId, { ...item, ...failed(error) }, null);
    const now = this.deps.clock.now();
    const outgoing = new OutgoingItem(this.conversationId, item, null, this);
    this.outgoing.set(item.id, outgoing);
    // One write instead of two where it is transmitted next.
    if (this.#lane.ready(now)) item.transmitted = true;
    this.#itemsChanged();
    const written = this.#store([outgoing]);
    this.#added = this.#added
      .then(() => written)
      .then(() => {
        if (this.outgoing.has(item.id)) this.input({ on: "add", item });
      });
    return outgoing;
  }

  /** Writes what was sent before the user was known. */
  persist(): void {
    const unwritten = [...this.outgoing.values()].filter(({ key }) => key === null);
    if (unwritten.length) void this.#store(unwritten);
  }

  /** Takes an item that storage has. */
  adopt(item: Item, key: string): void {
    if (this.outgoing.has(item.id)) return;
    const restored: Item = item.status === "sending" ? { ...item, status: "queued" } : item;
    this.outgoing.set(item.id, new OutgoingItem(this.conversationId, restored, key, this));
    this.input({ on: "add", item: restored });
    this.peer.echoesChanged();
  }

  up(limits: Limits): void {
    this.#line++;
    this.input({ on: "up", limits });
  }

  down(): void {
    this.#line++;
    this.input({ on: "down" });
  }

  ack(ack: Ack): void {
    const { message_id: messageId, seq, number, timestamp, duplicate } = ack;
    this.stored(ack.client_message_id, { messageId, seq, number, timestamp, duplicate });
  }

  /** The server has an item: said by an ack, by REST, or by its event or history. */
  stored(id: string, sent: Sent): void {
    const outgoing = this.outgoing.get(id);
    if (!outgoing) return;
    this.outgoing.delete(id);
    const changes = this.peer.acknowledged(this.#message(outgoing, sent));
    const removal = outgoing.key === null ? [] : [{ key: outgoing.key }];
    void this.deps.store()?.write([...removal, ...changes]);
    outgoing.sent(sent);
    this.input({ on: "stored", id });
  }

  error(id: string, error: ChatError, posted = false): void {
    this.input({ on: "error", id, error, posted });
  }

  retry(id: string): void {
    this.input({ on: "retry", id });
    const outgoing = this.outgoing.get(id);
    if (outgoing) void this.#store([outgoing]);
  }

  cancel(id: string): boolean {
    const outgoing = this.outgoing.get(id);
    if (!outgoing) return false;
    // Not in the lane yet: it is still being written.
    const known = this.#lane.items.includes(outgoing.item);
    if (known ? !this.#lane.cancel(id) : outgoing.item.transmitted) return false;
    this.outgoing.delete(id);
    if (outgoing.key !== null) void this.deps.store()?.write([{ key: outgoing.key }]);
    this.#itemsChanged();
    return true;
  }

  stop(): void {
    this.#timers.clear();
  }

  /** Forgets the items of a user who is not logged in any more. Storage keeps them. */
  clear(): void {
    this.stop();
    for (const outgoing of this.outgoing.values()) outgoing.left();
    this.outgoing.clear();
    this.#lane = new Lane(this.deps.random, true);
    this.#itemsChanged();
  }

  #itemsChanged(): void {
    this.changed();
    this.peer.echoesChanged();
  }

  input(input: LaneInput): void {
    const effects = this.#lane.handle(input, this.deps.clock.now());
    for (const effect of effects) this.#perform(effect);
    for (const outgoing of this.outgoing.values()) outgoing.update();
    this.changed();
  }

  #perform(effect: LaneEffect): void {
    switch (effect.do) {
      case "transmit":
        return void this.#transmit(effect.items);
      case "post":
        return void this.#post(effect.item);
      case "check":
        return this.peer.check();
      case "failed":
        return void this.#storeItem(effect.item);
      case "set":
        return this.#timers.set(effect.timer, effect.ms);
      case "cancel":
        return this.#timers.cancel(effect.timer);
    }
  }

  async #transmit(items: Item[]): Promise<void> {
    const line = this.#line;
    await this.#mark(items);
    if (line !== this.#line) return;
    this.peer.transmit(items.filter((item) => item.status === "sending").map(toSend));
  }

  async #post(item: Item): Promise<void> {
    await this.#mark([item]);
    // Another user may have logged in.
    if (!this.outgoing.has(item.id)) return;
    const { type: _, ...body } = toSend(item);
    const answer = await sendMessage(this.deps.http, this.conversationId, body);
    if (!answer.ok) return this.error(item.id, answer.error, true);
    const { id: messageId, seq, number, timestamp, duplicate } = answer.value;
    this.stored(item.id, { messageId, seq, number, timestamp, duplicate });
  }

  /** Notes in storage that the server may have these from now on. */
  async #mark(items: readonly Item[]): Promise<void> {
    const fresh = items.filter((item) => !item.transmitted);
    for (const item of fresh) item.transmitted = true;
    if (fresh.length === 0) return;
    await this.#store(fresh.flatMap((item) => this.outgoing.get(item.id) ?? []));
  }

  async #storeItem(item: Item): Promise<void> {
    const outgoing = this.outgoing.get(item.id);
    if (outgoing) await this.#store([outgoing]);
  }

  async #store(outgoing: readonly OutgoingItem[]): Promise<void> {
    const store = this.deps.store();
    const { conversationId } = this;
    const { tab } = this.deps;
    const changes = outgoing.flatMap((each) => {
      each.key ??= store?.key("outbox", conversationId, each.item.createdAt, each.item.id) ?? null;
      const value: StoredItem = { ...each.item, conversationId, tab };
      return each.key === null ? [] : [{ key: each.key, value }];
    });
    const durable = store !== null && (await store.write(changes));
    for (const each of outgoing) each.durable.set(durable);
  }

  /** The message as far as it is known here. Version 0: every copy of the server replaces it. */
  #message({ item }: OutgoingItem, sent: Sent): Message {
    const user = this.deps.user();
    return {
      id: sent.messageId,
      sender_id: user?.id ?? 0,
      sender: user?.username ?? "",
      content: item.text,
      timestamp: sent.timestamp,
      seq: sent.seq,
      number: sent.number,
      client_message_id: item.id,
      reply_to: item.replyTo,
      mentions: [...item.mentions],
      version: 0,
    };
  }
}

/** What the server takes as an id. It refuses another one without naming the message. */
const CLIENT_MESSAGE_ID = /^[!-~]{1,64}$/;

const BAD_ID = fail("invalid", "An id has 1 to 64 printable ASCII characters.").error;
const CONFLICT = fail("conflict", "Another message with this id is on its way.").error;

const failed = (error: ChatError) => ({ status: "failed", error }) as const;

const sameMessage = (one: Item, other: Item): boolean =>
  one.text === other.text && one.replyTo === other.replyTo;

function toSend(item: Item): Send {
  const send: Send = { type: "send", client_message_id: item.id, message: item.text };
  if (item.replyTo !== null) send.reply_to = item.replyTo;
  if (item.mentions.length) send.mentions = [...item.mentions];
  return send;
}

export const socketError = (code: number): ChatError | null => {
  switch (code) {
    case 4403:
      return fail("not_member", "You are not a member of this conversation.").error;
    case 4404:
      return fail("not_found", "There is no such conversation.").error;
    case 4400:
      return fail("malformed", "The server cannot read this message.").error;
    case 4413:
      return fail("too_large", "The message is too large.").error;
    default:
      return null;
  }
};
