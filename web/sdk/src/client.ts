/**
 * The client: puts the parts together and decides when each runs. The behaviour is in the parts;
 * `README.md` has the map.
 */
import { profile } from "./api/account.js";
import { createConversation, summaryOf } from "./api/chat.js";
import { Http } from "./api/http.js";
import { overall } from "./connection/overall.js";
import { Pool } from "./connection/pool.js";
import { ConversationHost } from "./conversation.js";
import { ConversationListHost } from "./conversation_list.js";
import { Emitter } from "./emitter.js";
import { newId } from "./id.js";
import { OutboxHost } from "./outbox/outbox.js";
import { platform, type Platform } from "./platform/defaults.js";
import type { EnvironmentEvent } from "./platform/ports.js";
import { writable } from "./readable.js";
import { ok, type Result } from "./result.js";
import { Access } from "./session/access.js";
import { SessionLoop } from "./session/session_loop.js";
import { PROFILE } from "./storage/forget.js";
import { UserStore } from "./storage/user_store.js";
import type {
  Client,
  ClientEvents,
  ClientOptions,
  ConnectionState,
  Conversation,
  Diagnostics,
  NewConversation,
  SignedOutCode,
} from "./types.js";
import type { User } from "./wire/api.js";

export function createClient(options: ClientOptions): Client {
  return new ClientHost(options);
}

class ClientHost implements Client {
  readonly state = writable<ConnectionState>({ name: "idle" });
  readonly user = writable<User | null>(null);
  readonly conversations: ConversationListHost;
  readonly outbox: OutboxHost;
  readonly #platform: Platform;
  readonly #hosts = new Map<number, ConversationHost>();
  readonly #events = new Emitter<ClientEvents>();
  readonly #access: Access;
  readonly #http: Http;
  readonly #pool: Pool;
  readonly #loop: SessionLoop;
  #store: UserStore | null = null;
  #running = false;
  #started = false;
  #signedOut: SignedOutCode | null = null;
  /** The user is that of the token, not only the last one of this storage. */
  #verified = false;
  #since: number;
  #listening: (() => void)[] = [];

  constructor(readonly options: ClientOptions) {
    this.#platform = platform(options);
    const { clock, random, limits, locks } = this.#platform;
    this.#since = clock.now();
    this.#access = new Access(
      clock,
      options.tokens,
      (code) => this.#end(code),
      () => this.user.get()?.id ?? null,
    );
    this.#http = new Http({
      baseUrl: options.baseUrl,
      fetch: this.#platform.fetch,
      clock,
      access: async (refused) => {
        const token = await this.#access.token(refused ? "expired" : "start", refused);
        return token.ok ? ok(token.value.access) : token;
      },
      login: () => this.#access.login,
      rejected: (code) => {
        if (code === "session_revoked" || code === "token_invalid") this.#access.end(code);
      },
    });
    const store = (): UserStore | null => this.#store;
    const user = (): User | null => this.user.get();
    this.outbox = new OutboxHost(
      { clock, random, locks, http: this.#http, tab: newId(), user, store },
      (id) => this.#host(id),
      (id, waiting) => this.#pool.waiting(id, waiting),
    );
    this.conversations = new ConversationListHost(
      this.#http,
      store,
      limits.storedConversations,
      (summary) => this.#hosts.get(summary.id)?.listed(summary),
    );
    this.#pool = new Pool(clock, limits.sockets, limits.lingerMs, (id) => this.#host(id));
    this.#loop = new SessionLoop({
      clock,
      random,
      refreshMs: limits.listRefreshMs,
      visible: () => this.#platform.environment?.visible() ?? true,
      round: () => this.#round(),
    });
    this.#loop.state.subscribe(() => this.#report());
  }

  start(): void {
    if (this.#running) return;
    this.#running = this.#started = true;
    this.#signedOut = null;
    this.#verified = false;
    this.#access.begin();
    this.#listening = [
      this.#platform.environment?.listen((event) => this.#page(event)),
      this.options.tokens.user?.subscribe((user) => this.#owner(user)),
    ].filter((stop) => stop !== undefined);
    this.#report();
    void this.#begin();
  }

  async stop(): Promise<void> {
    this.#halt();
    this.#report();
    await this.#store?.flush();
  }

  reconnect(): void {
    if (!this.#running) return;
    this.#loop.wake();
    for (const host of this.#hosts.values()) host.wake();
  }

  conversation(id: number): Conversation {
    return this.#host(id);
  }

  async createConversation(input: NewConversation): Promise<Result<Conversation>> {
    const { participants, ...rest } = input;
    const answer = await createConversation(this.#http, {
      participants: [...participants],
      ...rest,
    });
    if (!answer.ok) return answer;
    const entry = summaryOf(answer.value);
    this.conversations.add(entry);
    const host = this.#host(entry.id);
    host.summary.set(entry);
    return ok(host);
  }

  on<K extends keyof ClientEvents>(type: K, run: (event: ClientEvents[K]) => void): () => void {
    return this.#events.on(type, run);
  }

  diagnostics(): Diagnostics {
    return {
      state: this.state.get(),
      since: this.#since,
      queued: this.outbox.items.get().length,
      streams: [...this.#hosts.values()].map((host) => ({
        conversationId: host.id,
        state: host.state.get(),
        epoch: host.position?.epoch ?? null,
        seq: host.position?.seq ?? null,
        clockOffsetMs: host.clockOffsetMs,
      })),
    };
  }

  /** Shows what storage has, then connects. */
  async #begin(): Promise<void> {
    const { tokens } = this.options;
    await tokens.ready;
    const known = tokens.user
      ? tokens.user.get()
      : await this.#platform.storage.get(PROFILE).catch(() => null);
    // Written by `#become` only.
    if (known) await this.#become(known as User);
    if (!this.#running) return;
    // A provider that names its user is right about it.
    const named = tokens.user?.get();
    if (named && named.id === this.user.get()?.id) this.#verify();
    this.#loop.start();
  }

  async #round(): Promise<Result<void>> {
    if (!this.#verified) {
      const answer = await profile(this.#http);
      if (!answer.ok) return answer;
      await this.#become(answer.value);
      if (this.#running) this.#verify();
    }
    const refreshed = await this.conversations.refresh();
    if (refreshed.ok && this.#running) void this.outbox.sweep();
    return refreshed;
  }

  #verify(): void {
    this.#verified = true;
    this.outbox.begin();
    this.#pool.start();
  }

  /** Opens the storage of a user; that of another one is closed. */
  async #become(user: User): Promise<void> {
    const { clock, storage } = this.#platform;
    if (this.#store?.userId !== user.id) {
      if (this.#store) await this.#forgetUser(this.#store);
      this.#store = new UserStore(storage, clock, user.id);
      this.#store.healthy.subscribe(() => this.#report());
      // A provider that names its user keeps and forgets them itself.
      if (!this.options.tokens.user) {
        await storage.write([{ key: PROFILE, value: user }]).catch(() => {});
      }
      await this.conversations.restore();
    }
    this.user.set(user);
    for (const host of this.#hosts.values()) host.timeline.publish();
    if (this.#running && this.#store) await this.outbox.open(this.#store);
  }

  async #forgetUser(store: UserStore): Promise<void> {
    this.outbox.close();
    this.outbox.clear();
    for (const host of this.#hosts.values()) host.reset();
    this.conversations.clear();
    await store.flush();
  }

  #host(id: number): ConversationHost {
    let host = this.#hosts.get(id);
    if (!host) {
      host = this.#createHost(id);
      this.#hosts.set(id, host);
      host.state.subscribe(() => this.#report());
    }
    return host;
  }

  #createHost(id: number): ConversationHost {
    const { clock, random, limits } = this.#platform;
    const host = new ConversationHost(id, {
      stream: {
        baseUrl: this.options.baseUrl.replace(/\/+$/, ""),
        WebSocket: this.#platform.WebSocket,
        clock,
        random,
        access: this.#access,
        log: (level, event, fields) => this.options.onLog?.({ level, event, fields }),
      },
      http: this.#http,
      limits,
      outbox: this.outbox,
      user: () => this.user.get(),
      store: () => this.#store,
      hold: (held) => this.#pool.hold(held),
      emit: (type, event) => this.#emit(type, event),
      applied: (room, events) => this.conversations.apply(room, events),
      strange: () => this.#access.end("signed_out"),
    });
    const known = this.conversations.get().find((summary) => summary.id === id);
    if (known) host.summary.set(known);
    return host;
  }

  #emit<K extends keyof ClientEvents>(type: K, event: ClientEvents[K]): void {
    if (type === "refused") {
      const { conversationId, code } = event as ClientEvents["refused"];
      if (code === 4403 || code === 4404) this.conversations.remove(conversationId);
    }
    this.#events.emit(type, event);
  }

  #page(event: EnvironmentEvent): void {
    // Also without a network: an open socket proves itself or ends, so that all that is shown agrees.
    if (event !== "hidden") this.reconnect();
    this.#report();
  }

  /** The provider names another user, or none: a logout, here or in another tab. */
  #owner(user: User | null): void {
    if (this.#verified && user?.id !== this.user.get()?.id) this.#access.end("signed_out");
  }

  /** The login is over. The queue stays in storage for the same user. */
  #end(code: SignedOutCode): void {
    if (!this.#running) return;
    this.#signedOut = code;
    this.#halt();
    this.#report();
    void this.#store?.flush();
    this.#events.emit("signed-out", { code });
  }

  #halt(): void {
    this.#running = false;
    for (const stop of this.#listening.splice(0)) stop();
    this.#loop.stop();
    this.#pool.stop();
    this.outbox.close();
    this.#access.stop();
  }

  #report(): void {
    const held = this.#pool.held().flatMap((id) => this.#hosts.get(id)?.state.get() ?? []);
    const next = overall({
      running: this.#running,
      started: this.#started,
      signedOut: this.#signedOut,
      online: this.#platform.environment?.online() ?? true,
      session: this.#loop.state.get(),
      streams: held,
      connected: [...this.#hosts.values()].some((host) => host.state.get().name === "live"),
    });
    this.outbox.paused.set(this.#paused(next));
    const now = this.state.get();
    if (JSON.stringify(next) === JSON.stringify(now)) return;
    if (next.name !== now.name) this.#since = this.#platform.clock.now();
    this.state.set(next);
  }

  #paused(state: ConnectionState): "offline" | "signed-out" | "storage" | null {
    if (state.name === "signed-out" || state.name === "offline") return state.name;
    return this.#store?.healthy.get() === false ? "storage" : null;
  }
}
