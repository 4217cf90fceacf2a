/**
 * A Colloquy server in memory, for tests of programs that use the SDK: REST, sockets, sessions,
 * throttle, resume and reset, on a `FakeClock`, and every fault on demand.
 *
 * It follows `docs/protocol.md` in what a client can observe. It does not check texts, budgets and
 * rate limits; the suite against a real server does.
 */
import type { Clock } from "../platform/ports.js";
import type { Message } from "../wire/api.js";
import type { DurableEvent } from "../wire/socket.js";
import { answer } from "./fake_api.js";
import { FakeConnection } from "./fake_connection.js";
import {
  FakeDatabase,
  Refusal,
  type Pair,
  type Room,
  type SendRequestOf,
  type Session,
} from "./fake_database.js";
import {
  FakeNetwork,
  type ClientEnd,
  type FakeAnswer,
  type FakeRequest,
  type NetworkServer,
  type ServerSocket,
} from "./fake_network.js";

const GRACE_MS = 60_000;

export interface FakeServerOptions {
  clock: Clock;
  /** Least time between two sends of a user in a conversation. Default: none. */
  throttleMs?: number;
  /** Events one resume delivers. */
  resumeEvents?: number;
  /** Lifetime of an access token. */
  accessSeconds?: number;
}

export class FakeServer implements NetworkServer {
  readonly clock: Clock;
  readonly database: FakeDatabase;
  readonly throttleMs: number;
  readonly resumeEvents: number;
  /** Refuses commands and requests that would store something, while it returns a code. */
  failWrites: () => "unavailable" | "overloaded" | "internal" | null = () => null;
  /** Called for every socket that is accepted; a test may close it at once. */
  onAccept: (connection: FakeConnection) => void = () => {};
  /** Does not answer at all. */
  stopped = false;
  readonly #accessMs: number;
  readonly #connections = new Set<FakeConnection>();
  #nextToken = 1;

  constructor(options: FakeServerOptions) {
    this.clock = options.clock;
    this.throttleMs = options.throttleMs ?? 0;
    this.resumeEvents = options.resumeEvents ?? 300;
    this.#accessMs = (options.accessSeconds ?? 900) * 1000;
    this.database = new FakeDatabase(() => this.clock.now());
  }

  /** A network of its own for one device or tab. */
  network(): FakeNetwork {
    return new FakeNetwork(this.clock, this);
  }

  get connections(): readonly FakeConnection[] {
    return [...this.#connections];
  }

  /** Closes sockets with a code: all, or those that `where` selects. */
  close(code: number, reason = "", where: (connection: FakeConnection) => boolean = () => true) {
    for (const connection of this.connections)
      if (where(connection)) connection.close(code, reason);
  }

  /** Restarts: every socket ends; with `epoch`, the database has another history. */
  restart(epoch?: string): void {
    if (epoch) this.database.epoch = epoch;
    this.close(4000, "restarting");
  }

  /** Ends every login of a user. */
  revoke(userId: number): void {
    for (const session of this.database.sessions) {
      if (session.userId === userId) session.revoked = true;
    }
    this.close(4401, "session revoked", ({ session }) => session.revoked);
  }

  // Sessions.

  open(userId: number): Pair {
    const id = this.database.sessions.length + 1;
    const pair = this.#pair(id);
    const { refresh } = pair;
    this.database.sessions.push({ id, userId, revoked: false, refresh, previous: null });
    return pair;
  }

  refresh(token: string): Pair {
    const session = this.database.sessions.find(
      ({ refresh, previous }) => refresh === token || previous?.refresh === token,
    );
    if (!session) throw new Refusal("session_revoked", 401);
    if (session.revoked) throw new Refusal("session_revoked", 401);
    const { previous } = session;
    if (previous?.refresh === token) {
      if (this.clock.now() - previous.at <= GRACE_MS) return previous.pair;
      session.revoked = true;
      this.close(4401, "session revoked", (connection) => connection.session === session);
      throw new Refusal("session_revoked", 401);
    }
    const pair = this.#pair(session.id);
    session.previous = { refresh: token, pair, at: this.clock.now() };
    session.refresh = pair.refresh;
    return pair;
  }

  logout(userId: number, token: string): void {
    const session = this.database.sessions.find(({ refresh }) => refresh === token);
    if (session?.userId !== userId) throw new Refusal("invalid", 400);
    session.revoked = true;
    this.close(4401, "session revoked", (connection) => connection.session === session);
  }

  /** The session of an access token. */
  authenticate(token: string | null): Session {
    if (!token) throw new Refusal("not_authenticated", 401);
    const session = this.database.sessions.find(({ id }) => id === sessionOf(token));
    if (!session) throw new Refusal("token_invalid", 401);
    if (session.revoked) throw new Refusal("session_revoked", 401);
    if (expiryOf(token) <= this.clock.now()) throw new Refusal("token_expired", 401);
    return session;
  }

  expiry(token: string): number {
    return expiryOf(token);
  }

  #pair(session: number): Pair {
    const serial = this.#nextToken++;
    const expiry = this.clock.now() + this.#accessMs;
    return {
      access: `access-${session}-${serial}-${expiry}`,
      refresh: `refresh-${session}-${serial}`,
    };
  }

  // What a network delivers.

  answer(request: FakeRequest): FakeAnswer {
    if (this.stopped) throw new TypeError("fetch failed");
    return answer(this, request);
  }

  accept(conversationId: number, token: string, client: ClientEnd): ServerSocket | null {
    if (this.stopped) {
      client.close(1006, "");
      return null;
    }
    try {
      const session = this.authenticate(token);
      const room = this.database.room(conversationId, session.userId);
      const connection = new FakeConnection(this, room, session, token, client);
      this.#connections.add(connection);
      this.onAccept(connection);
      return connection;
    } catch (error) {
      client.close(closeCode(error), String(error));
      return null;
    }
  }

  forget(connection: FakeConnection): void {
    this.#connections.delete(connection);
  }

  // Changes. Each reaches every connection of the conversation.

  append(room: Room, send: SendRequestOf): { message: Message; duplicate: boolean } {
    this.#writable();
    const { message, event } = this.database.append(room, send, this.throttleMs);
    if (event) this.broadcast(room, event);
    return { message, duplicate: event === null };
  }

  change(room: Room, userId: number, messageId: number, text: string): DurableEvent | null {
    this.#writable();
    return this.broadcast(room, this.database.change(room, userId, messageId, text));
  }

  member(room: Room, userId: number, change: "joined" | "left", by: number): DurableEvent | null {
    this.#writable();
    const event = this.broadcast(room, this.database.member(room, userId, change, by));
    if (event && change === "left") {
      const removed = (each: FakeConnection): boolean =>
        each.room === room && each.session.userId === userId;
      this.close(4403, "not a member", removed);
    }
    return event;
  }

  broadcast<E extends DurableEvent | null>(room: Room, event: E): E {
    for (const connection of this.connections) {
      if (event && connection.room === room) connection.deliver(event);
    }
    return event;
  }

  #writable(): void {
    const code = this.failWrites();
    if (code) throw new Refusal(code, code === "internal" ? 500 : 503);
  }
}

const sessionOf = (token: string): number => Number(token.split("-")[1]);
const expiryOf = (token: string): number => Number(token.split("-")[3]);

function closeCode(error: unknown): number {
  switch (error instanceof Refusal ? error.code : "") {
    case "token_expired":
      return 4200;
    case "not_member":
      return 4403;
    case "not_found":
      return 4404;
    default:
      return 4401;
  }
}
