/**
 * One user of the torture run, with the SDK as an application uses it: sends, is reloaded, logs out
 * and in, is removed and added again. It decides nothing and reports everything.
 */
import {
  createClient,
  memoryStorage,
  passwordTokens,
  type Client,
  type Conversation,
  type Outgoing,
  type PasswordTokens,
  type Release,
} from "../../src/index.js";
import { until } from "../real/suite/check.js";
import { showAll } from "./show.js";
import type { Order, Report } from "./protocol.js";
import { watchedFetch, watchedSocket } from "./watched.js";

type Open = Extract<Order, { do: "open" }>;

/** How long an application waits before it tries again what was refused. */
const AGAIN_MS = 500;

export class TortureClient {
  readonly #storage = memoryStorage();
  readonly #watched = new WeakSet<Outgoing>();
  #tokens: PasswordTokens;
  #client: Client;
  #release: Release = () => {};
  /** Orders are performed one after the other; sends at once. */
  #before: Promise<void>;

  constructor(
    readonly order: Open,
    readonly report: (report: Report) => void,
  ) {
    this.#tokens = this.#newTokens();
    this.#client = this.#newClient();
    this.#before = this.#open();
  }

  take(order: Order): void {
    if (order.do === "send") return this.#send(order.id, order.text);
    this.#before = this.#before.then(() => this.#perform(order));
  }

  get #conversation(): Conversation {
    return this.#client.conversation(this.order.conversation);
  }

  async #open(): Promise<void> {
    await this.#login();
    this.#start();
    await until(this.#conversation.state, ({ name }) => name === "live");
    this.report({ on: "opened" });
  }

  async #perform(order: Order): Promise<void> {
    if (order.do === "reload") return this.#reload();
    if (order.do === "relogin") return this.#relogin();
    if (order.do !== "show") return;
    const { echoes, holes } = await showAll(this.#client, this.#conversation, order, (message) =>
      this.report({ on: "row", message }),
    );
    this.report({ on: "shown", echoes, holes });
  }

  #send(clientMessageId: string, text: string): void {
    this.#watch(this.#conversation.send({ text, clientMessageId }));
  }

  /** The program ends in the middle of whatever it does; another one starts with its storage. */
  async #reload(): Promise<void> {
    await this.#client.stop();
    this.#tokens = this.#newTokens();
    this.#client = this.#newClient();
    this.report({ on: "reloaded" });
    this.#start();
  }

  async #relogin(): Promise<void> {
    await this.#client.stop();
    await this.#tokens.logout();
    await this.#login();
    this.#client.start();
  }

  #newTokens(): PasswordTokens {
    const { base_url: baseUrl } = this.order;
    return passwordTokens({ baseUrl, storage: this.#storage, channel: null });
  }

  #newClient(): Client {
    const transmitted = (id: string): void => this.report({ on: "transmitted", id });
    const client = createClient({
      baseUrl: this.order.base_url,
      storage: this.#storage,
      tokens: this.#tokens,
      WebSocket: watchedSocket(transmitted),
      fetch: watchedFetch(transmitted),
    });
    const current = (): boolean => client === this.#client;
    client.on("event", ({ event }) => {
      if (current()) this.report({ on: "event", seq: event.seq });
    });
    client.on("refused", ({ code }) => {
      this.report({ on: "refused", code });
      // Members are added again.
      setTimeout(() => current() && this.#hold(), AGAIN_MS);
    });
    client.on("signed-out", ({ code }) => this.report({ on: "signed_out", code }));
    client.outbox.items.subscribe((items) => items.forEach((item) => this.#watch(item)));
    return client;
  }

  #start(): void {
    this.#client.start();
    this.#hold();
  }

  #hold(): void {
    const release = this.#release;
    this.#release = this.#conversation.hold();
    release();
  }

  async #login(): Promise<void> {
    const { username, password } = this.order;
    while (!(await this.#tokens.login(username, password)).ok) await pause(AGAIN_MS);
  }

  /** Reports how an item ends. One that failed is tried again, as a person would. */
  #watch(outgoing: Outgoing): void {
    if (this.#watched.has(outgoing)) return;
    this.#watched.add(outgoing);
    void this.#follow(outgoing, this.#client);
  }

  async #follow(outgoing: Outgoing, client: Client): Promise<void> {
    const id = outgoing.clientMessageId;
    for (;;) {
      const settled = await outgoing.settled;
      // The program that had this item has ended; the next one has it from storage.
      if (client !== this.#client) return;
      if (settled.ok) {
        const { messageId, seq, number, duplicate } = settled.value;
        return this.report({ on: "stored", id, message_id: messageId, seq, number, duplicate });
      }
      const { code, retryable } = settled.error;
      this.report({ on: "failed", id, code, retryable });
      await pause(AGAIN_MS);
      if (client === this.#client) outgoing.retry();
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
