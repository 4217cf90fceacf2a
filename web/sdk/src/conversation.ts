/**
 * One conversation as the application sees it: stream, timeline, outbox lane and members of the
 * same id, connected to each other and to storage.
 */
import { deleteMessage, editMessage, readConversation, summaryOf } from "./api/chat.js";
import type { Http } from "./api/http.js";
import type { Applied, Position, ResetReason } from "./connection/continuity.js";
import { Stream, type StreamDeps, type StreamHandlers } from "./connection/stream.js";
import type { LaneHost, LanePeer } from "./outbox/lane_host.js";
import { socketError } from "./outbox/lane_host.js";
import type { OutboxHost } from "./outbox/outbox.js";
import type { StorageChange } from "./platform/ports.js";
import { MemberList } from "./members.js";
import { writable } from "./readable.js";
import { done, ok, type Result } from "./result.js";
import { noteOpened } from "./storage/opened.js";
import type { UserStore } from "./storage/user_store.js";
import { TimelineHost } from "./timeline/timeline.js";
import type {
  ClientEvents,
  ClientLimits,
  Conversation,
  Edited,
  Outgoing,
  Release,
  SendInput,
} from "./types.js";
import type { ConversationSummary, Message, User } from "./wire/api.js";
import type { Ack, DurableEvent, ErrorReply, Hello, Send } from "./wire/socket.js";

export interface ConversationDeps {
  stream: StreamDeps;
  http: Http;
  limits: ClientLimits;
  outbox: OutboxHost;
  user(): User | null;
  store(): UserStore | null;
  hold(id: number): Release;
  emit<K extends keyof ClientEvents>(type: K, event: ClientEvents[K]): void;
  /** The events were applied here. */
  applied(id: number, events: readonly DurableEvent[]): void;
  /** The socket belongs to another user than the client. */
  strange(): void;
}

export class ConversationHost implements Conversation, LanePeer, StreamHandlers {
  readonly summary = writable<ConversationSummary | null>(null);
  readonly timeline: TimelineHost;
  readonly members: MemberList;
  readonly #stream: Stream;
  /** Reading storage; the stream starts after it. */
  #restored: Promise<void> | null = null;
  #connected = false;

  constructor(
    readonly id: number,
    readonly deps: ConversationDeps,
  ) {
    this.#stream = new Stream(id, deps.stream, this);
    this.#stream.state.subscribe(({ name }) => {
      if (name === "live" && !this.summary.get()) void this.#readSummary();
    });
    this.members = new MemberList(deps.http, id);
    this.timeline = new TimelineHost({
      http: deps.http,
      conversationId: id,
      limits: deps.limits,
      userId: () => deps.user()?.id ?? null,
      echoes: () => this.#lane.outgoing.values(),
      changed: (messages) => this.#keep(messages),
    });
  }

  get #lane(): LaneHost {
    return this.deps.outbox.lane(this.id);
  }
  get state(): Stream["state"] {
    return this.#stream.state;
  }
  get limits(): Stream["limits"] {
    return this.#stream.limits;
  }
  get position(): Position | null {
    return this.#stream.continuity.position;
  }
  get clockOffsetMs(): number | null {
    return this.#stream.clockOffsetMs;
  }

  hold(): Release {
    const release = this.deps.hold(this.id);
    // The user may have become a member again.
    if (this.#connected && this.state.get().name === "refused") this.#stream.start();
    return release;
  }

  send(input: SendInput | string): Outgoing {
    return this.deps.outbox.send(this.id, typeof input === "string" ? { text: input } : input);
  }

  async edit(id: number, text: string): Promise<Result<Edited>> {
    const answer = await editMessage(this.deps.http, this.id, id, text);
    if (!answer.ok) return answer;
    return ok({ id, text: answer.value.content, seq: answer.value.seq ?? null });
  }

  async remove(id: number): Promise<Result<void>> {
    return done(await deleteMessage(this.deps.http, this.id, id));
  }

  /** The list has the conversation: the user is a member, perhaps again. */
  listed(summary: ConversationSummary): void {
    this.summary.set(summary);
    const state = this.state.get();
    if (this.#connected && state.name === "refused" && state.code === 4403) this.#stream.start();
  }

  /** Reads storage once, then connects. */
  connect(): void {
    this.#connected = true;
    this.#restored ??= this.#restore();
    void this.#restored.then(() => {
      if (this.#connected) this.#stream.start();
    });
  }

  disconnect(): void {
    this.#connected = false;
    this.#stream.stop();
  }

  wake(): void {
    this.#stream.wake();
  }

  /** Another user is logged in: nothing of the one before stays. */
  reset(): void {
    this.disconnect();
    this.#stream.continuity.position = null;
    this.#restored = null;
    this.summary.set(null);
    this.members.clear();
    this.timeline.forget();
  }

  // What the lane asks for.

  transmit(sends: readonly Send[]): void {
    this.#stream.transmit(sends);
  }

  check(): void {
    this.#stream.check();
  }

  acknowledged(message: Message): StorageChange[] {
    const key = this.deps.store()?.key("message", this.id, message.number);
    const shown = this.timeline.acknowledge(message);
    return shown && key ? [{ key, value: message }] : [];
  }

  /** The lane has other items. */
  echoesChanged(): void {
    this.timeline.publish();
  }

  // What the stream reports.

  hello(hello: Hello): void {
    if (hello.user_id !== this.deps.user()?.id) return this.deps.strange();
    this.#lane.up(hello.limits);
  }

  events(applied: readonly Applied[]): void {
    const events = applied.map(({ event }) => event);
    this.timeline.apply(events);
    this.members.apply(events);
    this.deps.applied(this.id, events);
    for (const { event, live, fresh } of applied) {
      if (fresh) this.deps.emit("event", { conversationId: this.id, event, live });
    }
  }

  ack(ack: Ack): void {
    this.#lane.ack(ack);
  }

  error(error: ErrorReply): void {
    const id = error.client_message_id;
    if (id === undefined) {
      const { log } = this.deps.stream;
      return log("warn", "frame.refused", { conversation: this.id, code: error.code });
    }
    const { code, error: message, retryable, retry_after_ms: retryAfterMs } = error;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.#lane.error(id, { code, message, retryable, ...wait });
  }

  down(): void {
    this.#lane.down();
  }

  alive(): void {
    this.#lane.input({ on: "alive" });
  }

  refused(code: number): void {
    const error = socketError(code);
    if (error) {
      const all = code === 4403 || code === 4404;
      if (!all) this.deps.stream.log("error", "socket.refused", { conversation: this.id, code });
      this.#lane.input({ on: "refused", error, all });
    }
    this.deps.emit("refused", { conversationId: this.id, code });
  }

  async load(reset: ResetReason | null): Promise<Result<number>> {
    const store = this.deps.store();
    const old = reset || !this.position ? await store?.list<Message>("message", this.id) : [];
    const loaded = await this.timeline.loadNewest(reset);
    // What the page has is written again; the rest may have changed since.
    const { log } = this.timeline;
    const gone = old?.filter(([, { number }]) => log.missing(number, number)) ?? [];
    if (loaded.ok) store?.later(gone.map(([key]) => ({ key })));
    if (loaded.ok && reset) void this.members.reload();
    return loaded;
  }

  async #restore(): Promise<void> {
    const store = this.deps.store();
    if (!store) return;
    void noteOpened(store, this.id, this.deps.limits.storedConversations);
    const stored = await store.list<Message>("message", this.id);
    if (store === this.deps.store()) this.timeline.restore(stored.map(([, message]) => message));
  }

  /** Writes messages that were read or changed, and removes those that are too far back. */
  #keep(messages: readonly Message[]): void {
    this.#settle(messages);
    const store = this.deps.store();
    if (!store) return;
    const { storedMessages } = this.deps.limits;
    const least = this.timeline.log.last - storedMessages;
    const kept = messages.filter((message) => message.number > least);
    store.later(
      kept.flatMap((message) => [
        { key: store.key("message", this.id, message.number), value: message },
        { key: store.key("message", this.id, message.number - storedMessages) },
      ]),
    );
  }

  /** An own message of a page or an event is stored, whether or not its ack arrived. */
  #settle(messages: readonly Message[]): void {
    const userId = this.deps.user()?.id;
    for (const message of messages) {
      const id = message.client_message_id;
      if (!id || message.sender_id !== userId) continue;
      const { id: messageId, seq, number, timestamp } = message;
      this.#lane.stored(id, { messageId, seq, number, timestamp, duplicate: false });
    }
  }

  /** Reads name and members of a conversation that no page of the list has yet. */
  async #readSummary(): Promise<void> {
    const store = this.deps.store();
    const answer = await readConversation(this.deps.http, this.id);
    if (!answer.ok || this.summary.get() || store !== this.deps.store()) return;
    this.summary.set(summaryOf(answer.value));
  }
}
