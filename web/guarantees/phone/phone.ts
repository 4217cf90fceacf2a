// A phone: an ordinary client of the SDK behind a line and a clock that can be broken. It stores in memory
// and knows nothing of the other phones.
import {
  createClient,
  memoryStorage,
  passwordTokens,
  processLocks,
  type Client,
  type Conversation,
  type DurableEvent,
  type Limits,
  type MessageRow,
  type Outgoing,
  type PasswordTokens,
  type Result,
  type TimelineRow,
  type User,
} from "@colloquy/sdk";

import type { PhoneReport, Row } from "../ledger/ledger.ts";
import { PhoneClock } from "../line/clock.ts";
import { Line } from "../line/line.ts";
import type { NewEntry } from "../log/entries.ts";
import type { Account } from "../people/accounts.ts";
import { statusOf, type PhoneStatus } from "./status.ts";

/** The clock is moved this far at once where a wait is skipped: longer than any timer of the SDK. */
export const SKIP_MS = 40_000;

/** All messages stay on the screen, so that they can be compared. */
const MOST_ROWS = 20_000;

export interface PhoneDeps {
  record(who: string, entry: NewEntry): void;
  /** Something that is shown or counted has changed. */
  changed(): void;
  event(event: DurableEvent): void;
}

export class Phone {
  readonly clock = new PhoneClock();
  readonly line: Line;
  readonly client: Client;
  readonly sent: Outgoing[] = [];
  account: Account | null = null;
  /** The position at which its user was removed; `null` for a member. */
  removedAt: number | null = null;
  readonly #storage = memoryStorage();
  readonly #tokens: PasswordTokens;
  #conversation: Conversation | null = null;
  #completing = false;

  constructor(
    readonly name: string,
    readonly deps: PhoneDeps,
  ) {
    const { changed } = deps;
    this.line = new Line({ record: (entry) => deps.record(name, entry), changed });
    const shared = {
      baseUrl: location.origin,
      storage: this.#storage,
      fetch: this.line.fetch,
      clock: this.clock,
      // The phones share nothing, neither with each other nor with a chat in another tab.
      locks: processLocks(),
    };
    this.#tokens = passwordTokens({ ...shared, channel: null });
    this.client = createClient({
      ...shared,
      tokens: this.#tokens,
      WebSocket: this.line.WebSocket,
      environment: null,
      limits: { windowRows: MOST_ROWS, listRefreshMs: Infinity },
    });
    this.client.state.subscribe(changed);
    this.client.outbox.items.subscribe(changed);
    this.client.on("event", ({ event }) => deps.event(event));
  }

  get user(): User | null {
    return this.#tokens.user.get();
  }

  get conversation(): Conversation {
    if (!this.#conversation) throw new Error("no conversation is open");
    return this.#conversation;
  }

  get status(): PhoneStatus {
    return statusOf({
      line: this.line.state,
      client: this.client.state.get(),
      stream: this.#conversation?.state.get() ?? { name: "closed" },
      now: this.clock.now(),
    });
  }

  get rows(): readonly TimelineRow[] {
    return this.#conversation?.timeline.window.get().rows ?? [];
  }

  /** The limits of the server; `null` before the first connection. */
  get limits(): Limits | null {
    return this.#conversation?.limits.get() ?? null;
  }

  /** Accepted, and neither acknowledged nor refused. */
  get waiting(): number {
    return this.sent.filter((outgoing) => stateOf(outgoing) === "waiting").length;
  }

  async register(account: Account): Promise<Result<User>> {
    const email = `${account.username}@example.com`;
    const made = await this.#tokens.register({ ...account, email });
    return made.ok ? this.logIn(account) : made;
  }

  /** Logs in, also again after the login was ended. */
  async logIn(account: Account): Promise<Result<User>> {
    const answer = await this.#tokens.login(account.username, account.password);
    if (!answer.ok) return answer;
    this.account = account;
    this.client.start();
    return answer;
  }

  /** The refresh token, with which this login can be ended from elsewhere. */
  async refreshToken(): Promise<string> {
    const login = (await this.#storage.get("login")) as { refresh: string } | undefined;
    return login?.refresh ?? "";
  }

  open(conversationId: number): void {
    const conversation = this.client.conversation(conversationId);
    this.#conversation = conversation;
    conversation.hold();
    conversation.state.subscribe(this.deps.changed);
    conversation.timeline.window.subscribe((window) => {
      this.deps.changed();
      if (window.loaded && (!window.atStart || !window.atEnd)) void this.#complete();
    });
  }

  send(text: string, clientMessageId?: string): Outgoing {
    const id = clientMessageId === undefined ? {} : { clientMessageId };
    const outgoing = this.conversation.send({ text, ...id });
    this.sent.push(outgoing);
    outgoing.status.subscribe(this.deps.changed);
    return outgoing;
  }

  /** Connects again after its user was added again. */
  readmitted(): void {
    this.removedAt = null;
    // A hold connects a conversation that was refused; the one of `open` keeps it.
    this.conversation.hold()();
    this.retryRefused();
  }

  /** Sends what was refused again, under the same ids. */
  retryRefused(): void {
    for (const outgoing of this.sent) if (outgoing.status.get() === "failed") outgoing.retry();
  }

  /** The network is back, as a phone notices it. */
  restore(skipWaits: boolean): void {
    this.line.restore();
    // The client makes at most one attempt in two seconds.
    if (skipWaits && this.status.name !== "live") this.skip(2_000);
    this.client.reconnect();
  }

  skip(ms = SKIP_MS): void {
    this.deps.record(this.name, { kind: "fault", name: "clock-ahead", ms });
    this.clock.skip(ms);
  }

  /** Own messages that can be edited or deleted, oldest first. */
  ownMessages(): MessageRow["message"][] {
    return this.rows
      .filter((row): row is MessageRow => row.kind === "message" && row.own)
      .map(({ message }) => message)
      .filter(({ version, content }) => version > 0 && content !== "");
  }

  report(): PhoneReport {
    const messages = this.rows.filter((row): row is MessageRow => row.kind === "message");
    const holes = this.rows.flatMap((row) => (row.kind === "hole" ? [row.to - row.from + 1] : []));
    const window = this.#conversation?.timeline.window.get();
    const whole = window?.loaded === true && window.atStart && window.atEnd;
    return {
      name: this.name,
      rows: messages.map(toRow),
      missing: holes.reduce((total, n) => total + n, 0),
      complete: this.status.name === "live" && whole && this.waiting === 0,
      removedAt: this.removedAt,
    };
  }

  /** Reads what is not on the screen, as a reader who scrolls to the top would. */
  async #complete(): Promise<void> {
    if (this.#completing) return;
    this.#completing = true;
    const { timeline } = this.conversation;
    if (!timeline.window.get().atEnd) await timeline.latest();
    for (;;) {
      const before = timeline.window.get();
      if (before.atStart) break;
      const read = await timeline.earlier(500);
      if (!read.ok || timeline.window.get().rows.length === before.rows.length) break;
    }
    this.#completing = false;
    this.deps.changed();
  }
}

export function stateOf(outgoing: Outgoing): "waiting" | "acknowledged" | "refused" {
  switch (outgoing.status.get()) {
    case "sent":
      return "acknowledged";
    case "failed":
      return "refused";
    default:
      return "waiting";
  }
}

const toRow = ({ message }: MessageRow): Row => ({
  seq: message.seq,
  id: message.id,
  number: message.number,
  version: message.version,
  text: message.content,
});
