/** The members of one conversation: pages from the server, kept current by its events. */
import { addMember, listMembers, removeMember } from "./api/chat.js";
import type { Http } from "./api/http.js";
import { writable } from "./readable.js";
import { done, ok, OUTDATED, type Result } from "./result.js";
import type { Members } from "./types.js";
import type { Member } from "./wire/api.js";
import type { DurableEvent } from "./wire/socket.js";

export class MemberList implements Members {
  readonly list = writable<readonly Member[]>([]);
  readonly complete = writable(false);
  #cursor: string | null = null;
  #flight: Promise<Result<void>> | null = null;
  #stale = false;
  /** Changes with the user: a page that was asked for before does not count. */
  #generation = 0;

  constructor(
    readonly http: Http,
    readonly conversationId: number,
  ) {}

  more(): Promise<Result<void>> {
    if (this.complete.get()) return Promise.resolve(ok(undefined));
    if (this.#flight) return this.#flight;
    const flight = this.#next().finally(() => {
      if (this.#flight === flight) this.#flight = null;
    });
    return (this.#flight = flight);
  }

  async add(id: number): Promise<Result<void>> {
    return done(await addMember(this.http, this.conversationId, id));
  }

  async remove(id: number): Promise<Result<void>> {
    return done(await removeMember(this.http, this.conversationId, id));
  }

  apply(events: readonly DurableEvent[]): void {
    const changes = events.filter((event) => event.type === "member");
    if (changes.length === 0 || !this.#loaded) return;
    const left = new Set(changes.filter(({ change }) => change === "left").map((e) => e.user_id));
    this.list.set(this.list.get().filter(({ id }) => !left.has(id)));
    // The event has no first and last name.
    if (changes.some(({ change }) => change === "joined")) void this.reload();
  }

  /** Reads what was read before again. */
  async reload(): Promise<void> {
    if (!this.#loaded) return;
    this.#stale = true;
    await this.#flight;
    if (!this.#stale) return;
    this.#stale = false;
    const wanted = this.list.get().length;
    const whole = this.complete.get();
    const items: Member[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.#page(cursor);
      if (!page.ok) return;
      items.push(...page.value.items);
      cursor = page.value.next;
    } while (cursor && (whole || items.length < wanted));
    this.#set(items, cursor);
  }

  clear(): void {
    this.#generation++;
    this.#flight = null;
    this.#cursor = null;
    this.list.set([]);
    this.complete.set(false);
  }

  get #loaded(): boolean {
    return this.complete.get() || this.#cursor !== null;
  }

  async #next(): Promise<Result<void>> {
    const page = await this.#page(this.#cursor);
    if (!page.ok) return page;
    this.#set([...this.list.get(), ...page.value.items], page.value.next);
    return ok(undefined);
  }

  async #page(cursor: string | null): ReturnType<typeof listMembers> {
    const generation = this.#generation;
    const page = await listMembers(this.http, this.conversationId, cursor ? { cursor } : {});
    return generation === this.#generation ? page : OUTDATED;
  }

  #set(items: Member[], cursor: string | null): void {
    this.#cursor = cursor;
    this.complete.set(cursor === null);
    this.list.set(items);
  }
}
