// What the timeline shows, made from the rows of the SDK: messages in groups, by day, with the divider of
// unread messages. Items that did not change keep their identity, so that nothing is rendered twice.
import type {
  EchoRow,
  HoleRow,
  MemberEvent,
  Message,
  MessageId,
  MessageRow,
  Outgoing,
  TimelineRow,
  User,
} from "@colloquy/sdk";

export interface MessageItem {
  readonly kind: "message";
  readonly key: string;
  /** `null` until the server has acknowledged it. */
  readonly message: Message | null;
  /** The item of the outbox, for as long as it is there. */
  readonly outgoing: Outgoing | null;
  readonly own: boolean;
  readonly senderId: number;
  readonly sender: string;
  readonly text: string;
  readonly mentions: readonly number[];
  readonly replyTo: number | null;
  /** The message that `replyTo` names, if it has been loaded. */
  readonly quoted: Message | null;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** It begins or ends a group of messages of one sender. */
  readonly first: boolean;
  readonly last: boolean;
}

export interface MemberItem {
  readonly kind: "member";
  readonly key: string;
  readonly event: MemberEvent;
}

export interface HoleItem {
  readonly kind: "hole";
  readonly key: string;
  readonly hole: HoleRow;
}

export interface UnreadItem {
  readonly kind: "unread";
  readonly key: "unread";
}

export type Item = MessageItem | MemberItem | HoleItem | UnreadItem;

export interface Day {
  readonly key: string;
  /** A moment of that day. */
  readonly date: Date;
  readonly items: readonly Item[];
}

/** Messages of one sender that are closer than this belong together. */
const GROUP_MS = 5 * 60_000;

interface Entry {
  readonly row: TimelineRow;
  /** `null` for a hole: it belongs to the day around it. */
  readonly time: number | null;
  readonly senderId: number | null;
}

/** Messages that are remembered for quotes after they have left the window. */
const MAX_KNOWN = 2_000;

export class TimelineItems {
  #items = new Map<string, Item>();
  readonly #known = new Map<MessageId, Message>();

  /** Makes a message known that no row has shown, so that quotes of it are resolved. */
  remember(message: Message): void {
    const known = this.#known.get(message.id);
    if (known && known.version >= message.version) return;
    this.#known.set(message.id, message);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  find(id: MessageId): Message | null {
    return this.#known.get(id) ?? null;
  }

  /** The `number` of the message that the row with this key shows. */
  numberOf(key: string): number | null {
    const item = this.#items.get(key);
    return item?.kind === "message" ? (item.message?.number ?? null) : null;
  }

  /** `unreadFrom` is the `number` of the message below the divider. */
  update(rows: readonly TimelineRow[], user: User | null, unreadFrom: number | null): Day[] {
    for (const row of rows) if (row.kind === "message") this.remember(row.message);
    const entries = rows.map((row) => entryOf(row, user));
    const days: { key: string; date: Date; items: Item[] }[] = [];
    const kept = new Map<string, Item>();
    let split = true;
    let unread = unreadFrom;
    entries.forEach((entry, at) => {
      const date = new Date(entry.time ?? nextTime(entries, at) ?? Date.now());
      let day = days.at(-1);
      if (!day || (entry.time !== null && !sameDay(day.date, date))) {
        day = { key: uniqueKey(days, date), date, items: [] };
        days.push(day);
        split = true;
      }
      if (unread !== null && numberOf(entry.row) >= unread) {
        day.items.push({ kind: "unread", key: "unread" });
        unread = null;
        split = true;
      }
      const first = split || !grouped(entries[at - 1], entry);
      const next = entries[at + 1];
      const last = !next || !grouped(entry, next) || startsUnread(next.row, unread);
      split = false;
      const item = this.#reuse(this.#itemOf(entry.row, user, first, last));
      kept.set(item.key, item);
      day.items.push(item);
    });
    this.#items = kept;
    return days;
  }

  #itemOf(row: TimelineRow, user: User | null, first: boolean, last: boolean): Item {
    switch (row.kind) {
      case "message":
        return this.#quoting(messageItem(row, first, last));
      case "echo":
        return this.#quoting(echoItem(row, user, first, last));
      case "member":
        return { kind: "member", key: row.key, event: row.event };
      case "hole":
        return { kind: "hole", key: row.key, hole: row };
    }
  }

  #quoting(item: MessageItem): MessageItem {
    return item.replyTo === null ? item : { ...item, quoted: this.find(item.replyTo) };
  }

  #reuse(item: Item): Item {
    const known = this.#items.get(item.key);
    return known && sameItem(known, item) ? known : item;
  }
}

function entryOf(row: TimelineRow, user: User | null): Entry {
  switch (row.kind) {
    case "message":
      return { row, time: Date.parse(row.message.timestamp), senderId: row.message.sender_id };
    case "echo":
      return { row, time: row.outgoing.createdAt, senderId: user?.id ?? 0 };
    case "member":
      return { row, time: Date.parse(row.event.timestamp), senderId: null };
    case "hole":
      return { row, time: null, senderId: null };
  }
}

/** The number of a row for the divider: an echo is newer than every message. */
function numberOf(row: TimelineRow): number {
  if (row.kind === "message") return row.message.number;
  return row.kind === "hole" ? row.from : 0;
}

const startsUnread = (row: TimelineRow, unread: number | null): boolean =>
  unread !== null && numberOf(row) >= unread;

function nextTime(entries: readonly Entry[], at: number): number | null {
  return entries.slice(at + 1).find(({ time }) => time !== null)?.time ?? null;
}

function grouped(before: Entry | undefined, entry: Entry): boolean {
  if (!before || before.senderId === null || before.time === null || entry.time === null)
    return false;
  return (
    before.senderId === entry.senderId &&
    entry.time - before.time < GROUP_MS &&
    sameDay(new Date(before.time), new Date(entry.time))
  );
}

function messageItem(
  { key, message, own }: MessageRow,
  first: boolean,
  last: boolean,
): MessageItem {
  return {
    kind: "message",
    key,
    message,
    outgoing: null,
    own,
    senderId: message.sender_id,
    sender: message.sender,
    text: message.content,
    mentions: message.mentions ?? [],
    replyTo: message.reply_to ?? null,
    quoted: null,
    time: Date.parse(message.timestamp),
    first,
    last,
  };
}

function echoItem(
  { key, outgoing }: EchoRow,
  user: User | null,
  first: boolean,
  last: boolean,
): MessageItem {
  return {
    kind: "message",
    key,
    message: null,
    outgoing,
    own: true,
    senderId: user?.id ?? 0,
    sender: user?.username ?? "",
    text: outgoing.text,
    mentions: outgoing.mentions,
    replyTo: outgoing.replyTo,
    quoted: null,
    time: outgoing.createdAt,
    first,
    last,
  };
}

function sameItem(a: Item, b: Item): boolean {
  if (a.kind === "message" && b.kind === "message") {
    return (
      a.message === b.message &&
      a.outgoing === b.outgoing &&
      a.quoted === b.quoted &&
      a.own === b.own &&
      a.first === b.first &&
      a.last === b.last
    );
  }
  if (a.kind === "hole" && b.kind === "hole")
    return a.hole.from === b.hole.from && a.hole.to === b.hole.to;
  return a.kind === b.kind;
}

const sameDay = (a: Date, b: Date): boolean =>
  a.getDate() === b.getDate() &&
  a.getMonth() === b.getMonth() &&
  a.getFullYear() === b.getFullYear();

/** After a server clock was set back, the same day may come twice. */
function uniqueKey(days: readonly { key: string }[], date: Date): string {
  const key = `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
  return days.some((day) => day.key === key) ? `${key}#${days.length}` : key;
}
