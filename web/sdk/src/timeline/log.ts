/**
 * The messages of one conversation that are loaded, and the window that is shown. No I/O.
 *
 * Messages are indexed by `number`, which is dense: a number that is not loaded is a hole.
 * INVARIANT: of several texts of a message the one with the highest version is kept, in whatever
 * order they arrive.
 */
import type { ClientLimits, MemberRow, MessageRow, TimelineRow } from "../types.js";
import type { Message } from "../wire/api.js";
import type { DurableEvent, MemberEvent, MessageEvent } from "../wire/socket.js";

/** Rows around a message that the window jumps to. */
const AROUND_ROWS = 60;
/** A window that follows is trimmed when it has this many times the rows it keeps. */
const TRIMMED_AT = 1.5;
/** How many windows of messages are kept. */
const KEPT_WINDOWS = 10;
/** Member rows kept. They come with live events only; a history has none. */
const MEMBER_EVENTS = 200;

export type WindowLimits = Pick<ClientLimits, "firstRows" | "followedRows" | "windowRows">;

/** A change of a message that is not loaded, while a page that may have it is on its way. */
type Change = Pick<Message, "version" | "content">;

export class MessageLog {
  /** The newest number of the conversation, as far as known. */
  last = 0;
  /** The oldest number that exists. */
  first = 1;
  loaded = false;
  /** The window: numbers from `low` to `high`. */
  low = 1;
  high = 0;
  follow = true;
  readonly #messages = new Map<number, Message>();
  readonly #numbers = new Map<number, number>();
  readonly #changes = new Map<number, Change>();
  /** Own messages that were acknowledged before the events up to them arrived. */
  readonly #ahead = new Map<string, Message>();
  #members: MemberEvent[] = [];

  constructor(readonly limits: WindowLimits) {}

  /** Puts messages of a page or the storage. Returns them as they are kept. */
  merge(messages: readonly Message[]): Message[] {
    for (const message of messages) this.#put(message);
    return messages.map((message) => this.#messages.get(message.number) ?? message);
  }

  #put(incoming: Message): boolean {
    const change = this.#changes.get(incoming.id);
    const message =
      change && change.version > incoming.version ? { ...incoming, ...change } : incoming;
    if (message.client_message_id) this.#ahead.delete(aheadKey(message));
    const known = this.#messages.get(message.number);
    if (known && known.version >= message.version) return false;
    this.#messages.set(message.number, message);
    this.#numbers.set(message.id, message.number);
    return true;
  }

  /** Applies one event. Returns the message it changed, if that is loaded. */
  apply(event: DurableEvent): Message | null {
    switch (event.type) {
      case "message": {
        const message = toMessage(event);
        this.extend(message.number);
        return this.#put(message) ? message : null;
      }
      case "message.edited":
        return this.#change(event.message_id, { version: event.version, content: event.message });
      case "message.deleted":
        return this.#change(event.message_id, { version: event.version, content: "" });
      case "member":
        if (!this.#members.some((known) => known.seq === event.seq)) {
          this.#members = [...this.#members, event].slice(-MEMBER_EVENTS);
        }
        return null;
    }
  }

  #change(id: number, change: Change): Message | null {
    const known = this.#messages.get(this.#numbers.get(id) ?? 0);
    if (!known) {
      const kept = this.#changes.get(id)?.version ?? 0;
      if (change.version > kept) this.#changes.set(id, change);
      return null;
    }
    const message = { ...known, ...change };
    return this.#put(message) ? message : null;
  }

  /** No page is on its way any more: a page read from now on has every change. */
  settleChanges(): void {
    this.#changes.clear();
  }

  /**
   * An own message was stored, perhaps before the messages in front of it arrived. Returns whether
   * it is new here: an older one may have changed since, and is read from the server.
   */
  acknowledge(message: Message): boolean {
    if (message.number <= this.last) return false;
    this.#ahead.set(aheadKey(message), message);
    return true;
  }

  /** The conversation has messages up to this number. */
  extend(number: number): void {
    if (number <= this.last) return;
    this.last = number;
    // Its event or a page has it by now; otherwise it is read again, because it may have changed.
    for (const [key, message] of this.#ahead) {
      if (message.number <= number) this.#ahead.delete(key);
    }
    if (this.follow) this.#moveTo(this.loaded ? this.low : this.#firstLow, number);
  }

  /**
   * Messages after `before` were added. While the window follows them it stays small, and begins
   * again after a burst: all of its rows would be new.
   */
  slide(before: number): void {
    if (!this.follow || !this.loaded || this.last === before) return;
    const { firstRows, followedRows } = this.limits;
    let rows = this.high - this.low + 1;
    // Not a row for each message: what is above would move with every one of them.
    if (rows > followedRows * TRIMMED_AT) rows = followedRows;
    if (this.last - before >= followedRows) rows = firstRows;
    this.#moveTo(this.last - rows + 1, this.last);
  }

  /** The newest page arrived. The first one places the window. */
  begin(): void {
    if (this.loaded) return;
    this.loaded = true;
    if (this.follow) this.#moveTo(this.#firstLow, this.last);
  }

  get #firstLow(): number {
    return this.last - this.limits.firstRows + 1;
  }

  /** Stops following, so that what is on the screen stays. */
  detach(): void {
    this.follow = false;
  }

  latest(): void {
    this.follow = true;
    this.#moveTo(this.#firstLow, this.last);
  }

  /** The number that `around` leads back to. */
  get middle(): number {
    return Math.ceil((this.low + this.high) / 2);
  }

  around(number: number): void {
    const half = AROUND_ROWS / 2;
    this.#moveTo(number - half, number + half);
    this.follow = this.high >= this.last;
  }

  earlier(count: number): void {
    this.low = Math.max(this.first, this.low - count);
    this.high = Math.min(this.high, this.low + this.limits.windowRows - 1);
    this.follow &&= this.high >= this.last;
  }

  later(count: number): void {
    this.#moveTo(this.low, this.high + count);
    this.follow = this.high >= this.last;
  }

  /** Sets the window; the far side is trimmed at the top. */
  #moveTo(low: number, high: number): void {
    this.high = Math.min(high, this.last);
    this.low = Math.max(this.first, low, this.high - this.limits.windowRows + 1);
  }

  /** The first run of numbers between `low` and `high` that is not loaded. */
  missing(low = this.low, high = this.high): { from: number; to: number } | null {
    let from = Math.max(low, this.first);
    while (from <= high && this.#messages.has(from)) from++;
    if (from > high) return null;
    let to = from;
    while (to < high && !this.#messages.has(to + 1)) to++;
    return { from, to };
  }

  /** Forgets what is outside the window if it has become much: it can be read again. */
  trim(): void {
    if (this.#messages.size > KEPT_WINDOWS * this.limits.windowRows) this.forget(false);
  }

  /** Forgets everything outside the window, or everything. */
  forget(all: boolean): void {
    for (const [number, message] of this.#messages) {
      if (!all && number >= this.low && number <= this.high) continue;
      this.#messages.delete(number);
      this.#numbers.delete(message.id);
    }
    if (!all) return;
    this.#changes.clear();
    this.#ahead.clear();
    this.#members = [];
    Object.assign(this, { last: 0, first: 1, low: 1, high: 0, loaded: false, follow: true });
  }

  /** A loaded message, in the window or not. */
  byId(id: number): Message | null {
    return this.#messages.get(this.#numbers.get(id) ?? 0) ?? null;
  }

  /** The rows of the window, without echo rows. */
  rows(userId: number | null): TimelineRow[] {
    const rows: TimelineRow[] = [];
    for (let number = this.low; number <= this.high; number++) {
      const message = this.#messages.get(number);
      const before = rows.at(-1);
      if (message) rows.push(messageRow(message, userId));
      else if (before?.kind === "hole") rows[rows.length - 1] = { ...before, to: number };
      else rows.push({ kind: "hole", key: `hole:${number}`, from: number, to: number });
    }
    const merged = this.#withMembers(rows);
    if (!this.follow) return merged;
    const ahead = [...this.#ahead.values()].sort((a, b) => a.number - b.number);
    return [...merged, ...ahead.map((message) => messageRow(message, userId))];
  }

  #withMembers(rows: TimelineRow[]): TimelineRow[] {
    const oldest = rows.find((row): row is MessageRow => row.kind === "message")?.message.seq ?? 0;
    const members = this.#members.filter((event) => event.seq > oldest);
    const merged: TimelineRow[] = [];
    for (const row of rows) {
      while (row.kind === "message" && members[0] && members[0].seq < row.message.seq) {
        merged.push(memberRow(members.shift() as MemberEvent));
      }
      merged.push(row);
    }
    return this.follow ? [...merged, ...members.map(memberRow)] : merged;
  }
}

/** The key of a row; an own message keeps the one of its echo row. */
export const ownKey = (clientMessageId: string): string => `own:${clientMessageId}`;

export function toMessage(event: MessageEvent): Message {
  const { type: _, message_id: id, message: content, ...rest } = event;
  return { id, content, ...rest };
}

function messageRow(message: Message, userId: number | null): MessageRow {
  const own = message.sender_id === userId;
  const known = messageRows.get(message);
  if (known?.own === own) return known;
  const id = message.client_message_id;
  const key = own && id ? ownKey(id) : `message:${message.id}`;
  const row: MessageRow = { kind: "message", key, message, own };
  messageRows.set(message, row);
  return row;
}

/** A message that did not change keeps its row, so that a list renders only what changed. */
const messageRows = new WeakMap<Message, MessageRow>();

const memberRow = (event: MemberEvent): MemberRow => ({
  kind: "member",
  key: `member:${event.seq}`,
  event,
});

const aheadKey = (message: Message): string => `${message.sender_id}/${message.client_message_id}`;
