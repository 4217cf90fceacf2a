/** One socket on the side of a `FakeServer`. */
import type { Auth, ClientFrame, DurableEvent, Resume, Send } from "../wire/socket.js";
import { Refusal, type Room, type Session } from "./fake_database.js";
import type { ClientEnd, ServerSocket } from "./fake_network.js";
import type { FakeServer } from "./fake_server.js";

const EXPIRING_MS = 60_000;

export class FakeConnection implements ServerSocket {
  #open = true;
  #cancels: (() => void)[] = [];

  constructor(
    readonly server: FakeServer,
    readonly room: Room,
    readonly session: Session,
    token: string,
    readonly client: ClientEnd,
  ) {
    this.#hello(token);
    this.#watch(token);
  }

  receive(text: string): void {
    if (!this.#open || this.server.stopped) return;
    if (text === '{"type":"ping"}') return this.#send({ type: "pong" });
    const parsed = JSON.parse(text) as ClientFrame | ClientFrame[];
    for (const frame of Array.isArray(parsed) ? parsed : [parsed]) {
      if (this.#open) this.#command(frame);
    }
  }

  deliver(event: DurableEvent): void {
    if (this.#open) this.#send(event);
  }

  close(code: number, reason: string): void {
    if (!this.#open) return;
    this.gone();
    this.client.close(code, reason);
  }

  gone(): void {
    this.#open = false;
    this.#cancels.forEach((cancel) => cancel());
    this.server.forget(this);
  }

  #command(frame: ClientFrame): void {
    switch (frame.type) {
      case "send":
        return this.#append(frame);
      case "resume":
        return this.#resume(frame);
      case "auth":
        return this.#auth(frame);
      case "ping":
        return this.#send({ type: "pong" });
    }
  }

  #append(frame: Send): void {
    const { client_message_id: id } = frame;
    try {
      const { message, duplicate } = this.server.append(this.room, {
        userId: this.session.userId,
        id,
        text: frame.message,
        replyTo: frame.reply_to ?? null,
        mentions: frame.mentions ?? [],
      });
      const { id: message_id, seq, number, timestamp } = message;
      const where = { message_id, seq, number, timestamp, duplicate };
      this.#send({ type: "ack", client_message_id: id, ...where });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, retryAfterMs, status } = error;
      const wait = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
      const retryable = status === 429 || status >= 500;
      this.#send({ type: "error", error: code, code, retryable, client_message_id: id, ...wait });
    }
  }

  #resume({ since, epoch }: Resume): void {
    const { database, resumeEvents } = this.server;
    const seq = this.room.events.length;
    if (epoch !== database.epoch || since > seq) return this.#reset("epoch_changed");
    if (seq - since > resumeEvents) return this.#reset("too_old");
    const events = database.after(this.room, since);
    if (events.length) this.#send({ type: "batch", events });
    const count = events.length;
    this.#send({ type: "sync", from: since, to: seq, count, complete: true });
  }

  #reset(reason: "too_old" | "epoch_changed"): void {
    const { epoch } = this.server.database;
    this.#send({ type: "reset", reason, seq: this.room.events.length, epoch });
  }

  #auth({ token }: Auth): void {
    try {
      if (this.server.authenticate(token) !== this.session) throw new Refusal("token_invalid", 401);
    } catch {
      return this.close(4401, "token invalid");
    }
    this.#watch(token);
    this.#send({ type: "auth.ok", ...this.#times(token) });
  }

  #hello(token: string): void {
    const { server, room } = this;
    this.#send({
      type: "hello",
      v: 2,
      conversation_id: room.id,
      epoch: server.database.epoch,
      seq: room.events.length,
      number: room.messages.length,
      user_id: this.session.userId,
      heartbeat_s: 25,
      ...this.#times(token),
      limits: {
        message_chars: 4_000,
        frame_bytes: 65_536,
        frame_commands: 20,
        resume_events: server.resumeEvents,
        throttle_ms: server.throttleMs,
      },
    });
  }

  #times(token: string): { token_expires_at: string; server_time: string } {
    return {
      token_expires_at: new Date(this.server.expiry(token)).toISOString(),
      server_time: this.server.database.timestamp(),
    };
  }

  /** Announces the end of the token, and ends the socket with it. */
  #watch(token: string): void {
    this.#cancels.forEach((cancel) => cancel());
    const { clock } = this.server;
    const left = this.server.expiry(token) - clock.now();
    this.#cancels = [
      clock.after(left - EXPIRING_MS, () =>
        this.#send({ type: "auth.expiring", in_s: Math.min(60, Math.floor(left / 1000)) }),
      ),
      clock.after(left, () => this.close(4200, "token expired")),
    ];
  }

  // `object`: some tests send codes that the protocol does not have.
  #send(frame: object): void {
    this.client.send(JSON.stringify(frame));
  }
}
