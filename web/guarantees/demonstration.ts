// The demonstration: two phones in one conversation on this server, the ledger that watches them, and what
// people and experiments do with them. Nothing here changes the server; it is used as any client uses it.
import type { DurableEvent, Result, User } from "@colloquy/sdk";
import {
  createConversation,
  login,
  rest,
  sendMessage,
  type SendResponse,
} from "@colloquy/sdk/rest";

import { Writers } from "./people/writers.ts";
import { demoAccount, type Account } from "./people/accounts.ts";
import { NAMES } from "./people/names.ts";
import { randomText } from "./people/random.ts";
import { RestUser } from "./people/rest_user.ts";
import { HistoryReader } from "./ledger/history.ts";
import { LedgerWatch } from "./ledger/watch.ts";
import type { Accepted } from "./ledger/ledger.ts";
import { Line } from "./line/line.ts";
import type { NewEntry } from "./log/entries.ts";
import { FrameLog } from "./log/frame_log.ts";
import { Phone, stateOf } from "./phone/phone.ts";
import { must, Refused, sleep } from "./result.ts";

export class Demonstration {
  readonly phones: readonly [ann: Phone, ben: Phone];
  readonly log: FrameLog;
  /** The first text of messages that were edited or deleted, by id. */
  readonly originals = new Map<number, string>();
  /** Whether a phone's clock is moved ahead where it would only wait. */
  skipWaits = true;
  /** Acknowledgements that said `duplicate: true`. */
  duplicateAcks = 0;
  ledger!: LedgerWatch;
  /** The same people as those of the phones, with logins of their own. */
  restUsers!: readonly [RestUser, RestUser];
  writers!: Writers;
  conversationId = 0;
  readonly #overRest: Accepted[] = [];
  readonly #waiting = new Set<() => void>();
  #spoken = 0;

  constructor(readonly changed: () => void) {
    this.log = new FrameLog(changed);
    const phone = (name: string): Phone =>
      new Phone(name, {
        record: (who, entry) => this.#record(who, entry),
        changed: () => this.#moved(),
        event: (event) => this.#event(event),
      });
    this.phones = [phone(NAMES[0]), phone(NAMES[1])];
  }

  /** Logs in two people and connects their phones. Without `accounts`, new ones are made. */
  async start(accounts: readonly [Account, Account] | null): Promise<void> {
    const [ann, ben] = this.phones;
    const open = (phone: Phone, account: Account | undefined): Promise<Result<User>> =>
      account ? phone.logIn(account) : phone.register(demoAccount(phone.name));
    // One after the other: a wrong login of the first says nothing about the second.
    must(await open(ann, accounts?.[0]));
    const { id: benId } = must(await open(ben, accounts?.[1]));
    const rest = this.#restLine("REST");
    this.restUsers = [ann, ben].map(({ account }) => new RestUser(account as Account, rest)) as [
      RestUser,
      RestUser,
    ];
    for (const user of this.restUsers) must(await user.logIn());
    const body = { participants: [benId], name: "Guarantees", kind: "group" as const };
    this.conversationId = must(
      await this.observer.ask((http) => createConversation(http, body)),
    ).id;
    this.writers = new Writers(this, this.#restLine("Writers"), accounts === null);
    this.ledger = new LedgerWatch(
      {
        accepted: () => this.#accepted(),
        originals: this.originals,
        reports: () => this.phones.map((phone) => phone.report()),
        history: new HistoryReader(this.observer, this.conversationId),
      },
      () => this.#notify(),
    );
    for (const phone of this.phones) phone.open(this.conversationId);
  }

  async stop(): Promise<void> {
    // A start that failed has none.
    (this.ledger as LedgerWatch | undefined)?.stop();
    await Promise.all(this.phones.map((phone) => phone.client.stop()));
  }

  /** Reads the history, and does what only the maker of the group may. */
  get observer(): RestUser {
    return this.restUsers[0];
  }

  /** Milliseconds the server wants between two messages of a person. */
  get throttleMs(): number {
    return this.#limits()?.throttle_ms ?? 0;
  }

  /** How many missed events the server sends; beyond it a client reads the history. */
  get resumeEvents(): number {
    return this.#limits()?.resume_events ?? 300;
  }

  /** Sends messages whose text is found nowhere else. */
  say(phone: Phone, count = 1, clientMessageId?: string): void {
    for (let n = 0; n < count; n++) phone.send(this.nextText(phone.name), clientMessageId);
  }

  nextText(name: string): string {
    return `${name} says ${++this.#spoken}`;
  }

  /** Sends over REST, again under the same id until the server has answered. */
  async sendOverRest(
    user: RestUser,
    message: string,
    client_message_id: string,
  ): Promise<SendResponse> {
    const body = { message, client_message_id };
    for (;;) {
      const answer = await user.ask((http) => sendMessage(http, this.conversationId, body));
      if (answer.ok) return answer.value;
      if (!answer.error.retryable) throw new Refused(answer.error);
      await sleep(answer.error.retryAfterMs ?? 500);
    }
  }

  /** As `sendOverRest`, for a message that no phone has in its outbox: the ledger counts it. */
  async acceptOverRest(user: RestUser, text: string): Promise<void> {
    const at = this.#overRest.push({ text, state: "waiting" }) - 1;
    await this.sendOverRest(user, text, randomText(24));
    this.#overRest[at] = { text, state: "acknowledged" };
    this.#moved();
  }

  /** Notes the text of a message that is about to change. */
  willChange(id: number, text: string): void {
    if (!this.originals.has(id)) this.originals.set(id, text);
  }

  /** Ends the login of a phone as its user would from another device. */
  async endSession(phone: Phone): Promise<void> {
    const account = phone.account as Account;
    const elsewhere = this.observer.line;
    const options = { baseUrl: location.origin, fetch: elsewhere.fetch };
    const { access } = must(await login(rest(options), account));
    const ended = await rest({ ...options, token: access }).request({
      method: "POST",
      path: "/api/users/logout/",
      body: { refresh: await phone.refreshToken() },
    });
    must(ended);
  }

  /** Opens the line of a phone, and logs its user in again if the login was ended in the meantime. */
  async bringBack(phone: Phone): Promise<void> {
    phone.restore(this.skipWaits);
    // A login that was ended is noticed only when the phone uses it.
    await this.until(() => phone.status.name !== "connecting", 5_000);
    if (phone.status.name === "signed-out" && phone.account) {
      must(await phone.logIn(phone.account));
    }
  }

  async remove(phone: Phone): Promise<void> {
    must(await this.phones[0].conversation.members.remove(phone.user?.id ?? 0));
  }

  async readmit(phone: Phone): Promise<void> {
    must(await this.phones[0].conversation.members.add(phone.user?.id ?? 0));
    phone.readmitted();
  }

  /** Ends every fault: lines are open, everybody is logged in and a member, refused items are sent again. */
  async mendAll(): Promise<void> {
    const [ann, ben] = this.phones;
    await this.bringBack(ann);
    await this.bringBack(ben);
    if (ben.removedAt !== null || ben.status.name === "removed") await this.readmit(ben);
    for (const phone of this.phones) phone.retryRefused();
  }

  /** Waits until nothing is on its way and the ledger has judged. */
  async settle(ms: number): Promise<"equal" | "different" | "moving"> {
    this.ledger.changed();
    const settled = await this.until(() => this.ledger.final, ms);
    return settled && this.ledger.verdict === "equal" ? "equal" : settled ? "different" : "moving";
  }

  /** Resolves when `test` holds, with `true`, or after `ms`, with `false`. */
  until(test: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (held: boolean): void => {
        this.#waiting.delete(look);
        clearInterval(interval);
        clearTimeout(timeout);
        resolve(held);
      };
      const look = (): void => {
        if (test()) end(true);
      };
      // Times pass without a change of anything.
      const interval = setInterval(look, 200);
      const timeout = setTimeout(() => end(test()), ms);
      this.#waiting.add(look);
      look();
    });
  }

  #limits() {
    const limits = this.phones.map((phone) => phone.limits);
    return limits[0] ?? limits[1];
  }

  #accepted(): Accepted[] {
    const sent = this.phones.flatMap((phone) =>
      phone.sent.map((outgoing) => ({ text: outgoing.text, state: stateOf(outgoing) })),
    );
    return [...sent, ...this.#overRest];
  }

  #event(event: DurableEvent): void {
    if (event.type !== "member") return;
    const phone = this.phones.find(({ user }) => user?.id === event.user_id);
    // A phone that resumes reports its removal and its return, in this order.
    if (phone) phone.removedAt = event.change === "left" ? event.seq : null;
  }

  #record(who: string, entry: NewEntry): void {
    const { title, body, direction } = this.log.add(who, entry);
    if (direction === "in" && title === "ack" && body?.includes('"duplicate":true')) {
      this.duplicateAcks++;
    }
  }

  #restLine(who: string): Line {
    return new Line({ record: (entry) => this.#record(who, entry), changed: () => undefined });
  }

  #moved(): void {
    // Phones report while they are made.
    (this.ledger as LedgerWatch | undefined)?.changed();
    this.#notify();
  }

  #notify(): void {
    for (const look of [...this.#waiting]) look();
    this.changed();
  }
}
