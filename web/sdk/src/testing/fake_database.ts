/** What a `FakeServer` stores: accounts, sessions, conversations and their durable events. */
import type { Conversation, ConversationSummary, Member, Message, User } from "../wire/api.js";
import type { DurableEvent, MessageEvent } from "../wire/socket.js";

export interface Session {
  id: number;
  userId: number;
  revoked: boolean;
  /** The refresh token that is valid, and the one before it with the pair it gave. */
  refresh: string;
  previous: { refresh: string; pair: Pair; at: number } | null;
}

export interface Pair {
  access: string;
  refresh: string;
}

export interface Room {
  id: number;
  kind: "direct" | "group";
  name: string | null;
  creator: number;
  /** By user: when the membership began. */
  members: Map<number, string>;
  createdAt: string;
  activeAt: string;
  events: DurableEvent[];
  messages: Message[];
  lastSendAt: Map<number, number>;
}

export interface SendRequestOf {
  userId: number;
  id: string;
  text: string;
  replyTo: number | null;
  mentions: number[];
}

/** A refusal with a code of the protocol. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly retryAfterMs?: number,
  ) {
    super(code);
  }
}

export class FakeDatabase {
  epoch = "epoch-1";
  readonly users: (User & { password: string })[] = [];
  readonly sessions: Session[] = [];
  readonly rooms = new Map<number, Room>();
  #nextMessage = 1;

  constructor(readonly now: () => number) {}

  addUser(username: string, password: string): User {
    if (this.users.some((user) => user.username === username)) throw new Refusal("invalid", 400);
    const email = `${username}@example.com`;
    const user = { id: this.users.length + 1, username, email, first_name: "", last_name: "" };
    this.users.push({ ...user, password });
    return user;
  }

  user(id: number): User {
    const found = this.users.find((user) => user.id === id);
    if (!found) throw new Refusal("not_found", 404);
    const { password: _, ...user } = found;
    return user;
  }

  addRoom(creator: number, others: readonly number[], name: string | null = null): Room {
    const now = this.timestamp();
    const kind = name === null && others.length === 1 ? "direct" : "group";
    const same = [...this.rooms.values()].find(
      (room) => kind === "direct" && room.kind === kind && hasBoth(room, creator, others[0] ?? 0),
    );
    if (same) return same;
    const room: Room = {
      id: this.rooms.size + 1,
      kind,
      name,
      creator,
      members: new Map([creator, ...others].map((id) => [id, now])),
      createdAt: now,
      activeAt: now,
      events: [],
      messages: [],
      lastSendAt: new Map(),
    };
    this.rooms.set(room.id, room);
    return room;
  }

  /** The conversation, if the user is a member. */
  room(id: number, userId: number): Room {
    const room = this.rooms.get(id);
    if (!room) throw new Refusal("not_found", 404);
    if (!room.members.has(userId)) throw new Refusal("not_member", 403);
    return room;
  }

  /** Stores a message, or finds the one that this id has stored before. */
  append(
    room: Room,
    send: SendRequestOf,
    throttleMs: number,
  ): { message: Message; event: MessageEvent | null } {
    const same = room.messages.find(
      (each) => each.sender_id === send.userId && each.client_message_id === send.id,
    );
    if (same) {
      if (same.version === 1 && same.content !== send.text) throw new Refusal("conflict", 409);
      return { message: same, event: null };
    }
    if (send.text.trim() === "") throw new Refusal("invalid", 400);
    const wait = (room.lastSendAt.get(send.userId) ?? -Infinity) + throttleMs - this.now();
    if (wait > 0) throw new Refusal("throttled", 429, wait);
    room.lastSendAt.set(send.userId, this.now());
    const message: Message = {
      id: this.#nextMessage++,
      sender_id: send.userId,
      sender: this.user(send.userId).username,
      content: send.text,
      timestamp: this.timestamp(),
      seq: room.events.length + 1,
      number: room.messages.length + 1,
      client_message_id: send.id,
      reply_to: send.replyTo,
      mentions: send.mentions.filter((id) => room.members.has(id)),
      version: 1,
    };
    room.messages.push(message);
    room.activeAt = message.timestamp;
    const event = toEvent(message);
    room.events.push(event);
    return { message: { ...message }, event };
  }

  /** Changes the text of a message; an empty one deletes it. Returns the event, if any. */
  change(room: Room, userId: number, messageId: number, text: string): DurableEvent | null {
    const message = room.messages.find(({ id }) => id === messageId);
    if (!message) throw new Refusal("not_found", 404);
    if (message.sender_id !== userId) throw new Refusal("forbidden", 403);
    if (message.content === text) return null;
    if (message.content === "") throw new Refusal("conflict", 409);
    message.content = text;
    message.version++;
    const at = { seq: room.events.length + 1, message_id: messageId, version: message.version };
    const by = { user_id: userId, timestamp: this.timestamp() };
    const event: DurableEvent = text
      ? { type: "message.edited", ...at, message: text, ...by }
      : { type: "message.deleted", ...at, ...by };
    room.events.push(event);
    return event;
  }

  member(room: Room, userId: number, change: "joined" | "left", by: number): DurableEvent | null {
    if (room.members.has(userId) === (change === "joined")) return null;
    if (room.kind === "direct") throw new Refusal("conflict", 409);
    const { username } = this.user(userId);
    const timestamp = this.timestamp();
    if (change === "joined") room.members.set(userId, timestamp);
    else room.members.delete(userId);
    const seq = room.events.length + 1;
    const event: DurableEvent = {
      type: "member",
      seq,
      user_id: userId,
      username,
      change,
      by,
      timestamp,
    };
    room.events.push(event);
    return event;
  }

  /** The events after a position, with the newest texts. */
  after(room: Room, seq: number): DurableEvent[] {
    return room.events.slice(seq).map((event) => {
      if (event.type !== "message" && event.type !== "message.edited") return event;
      const message = room.messages.find(({ id }) => id === event.message_id);
      return message ? { ...event, message: message.content, version: message.version } : event;
    });
  }

  summary(room: Room, userId: number): ConversationSummary {
    return {
      ...this.#head(room, userId),
      active_at: room.activeAt,
      last_message: room.messages.at(-1) ? { ...(room.messages.at(-1) as Message) } : null,
    };
  }

  conversation(room: Room, userId: number): Conversation {
    const messages = room.messages.slice(-100).map((message) => ({ ...message }));
    return { ...this.#head(room, userId), messages };
  }

  membersOf(room: Room): Member[] {
    return [...room.members]
      .sort(([a], [b]) => a - b)
      .map(([id, joined_at]) => {
        const { username, first_name, last_name } = this.user(id);
        return { id, username, first_name, last_name, joined_at };
      });
  }

  timestamp(): string {
    return new Date(this.now()).toISOString();
  }

  #head(room: Room, userId: number): Omit<Conversation, "messages"> {
    const ids = [...room.members.keys()].sort((a, b) => a - b).filter((id) => id !== userId);
    return {
      id: room.id,
      kind: room.kind,
      name: room.name,
      participants: [userId, ...ids].slice(0, 100).map((id) => this.user(id)),
      member_count: room.members.size,
      created_at: room.createdAt,
      seq: room.events.length,
      number: room.messages.length,
    };
  }
}

const hasBoth = (room: Room, one: number, other: number): boolean =>
  room.members.has(one) && room.members.has(other);

function toEvent(message: Message): MessageEvent {
  const { id: message_id, content, client_message_id, reply_to, mentions, ...rest } = message;
  return {
    type: "message",
    ...rest,
    message_id,
    message: content,
    client_message_id: client_message_id ?? null,
    reply_to: reply_to ?? null,
    mentions: mentions ?? [],
  };
}
