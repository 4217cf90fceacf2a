/**
 * The conversations of the user, latest activity first: pages from the server, the first of which
 * is read again while the page is visible, and the events of connected conversations.
 */
import { listConversations, type PageQuery } from "./api/chat.js";
import type { Http } from "./api/http.js";
import { writable } from "./readable.js";
import { ok, OUTDATED, type Result } from "./result.js";
import type { UserStore } from "./storage/user_store.js";
import { toMessage } from "./timeline/log.js";
import type { ConversationList } from "./types.js";
import type { ConversationSummary } from "./wire/api.js";
import type { DurableEvent } from "./wire/socket.js";

const PAGE = 50;

export class ConversationListHost implements ConversationList {
  readonly complete = writable(false);
  readonly #items = writable<readonly ConversationSummary[]>([]);
  #cursor: string | null = null;
  #started = false;
  #flight: Promise<Result<void>> | null = null;
  /** Changes with the user: a page that was asked for before does not count. */
  #generation = 0;
  /** Entries that changed while the first page was read: the page may not have them yet. */
  readonly #touched = new Set<number>();

  constructor(
    readonly http: Http,
    readonly store: () => UserStore | null,
    /** Entries kept in storage, latest activity first. */
    readonly storedMost: number,
    /** Called for every entry that is new or changed. */
    readonly changed: (summary: ConversationSummary) => void,
  ) {}

  get(): readonly ConversationSummary[] {
    return this.#items.get();
  }

  subscribe(run: (value: readonly ConversationSummary[]) => void): () => void {
    return this.#items.subscribe(run);
  }

  /** Shows what storage has. */
  async restore(): Promise<void> {
    const store = this.store();
    const stored = (await store?.list<ConversationSummary>("conversation")) ?? [];
    if (store === this.store() && !this.#started) this.#put(stored.map(([, summary]) => summary));
  }

  /** Reads the first page. One request at a time. */
  refresh(): Promise<Result<void>> {
    if (this.#flight) return this.#flight;
    const flight = this.#refresh().finally(() => {
      if (this.#flight === flight) this.#flight = null;
    });
    return (this.#flight = flight);
  }

  async more(): Promise<Result<void>> {
    if (this.complete.get()) return ok(undefined);
    if (!this.#started) return this.refresh();
    const cursor = this.#cursor;
    const page = await this.#page(cursor ? { limit: PAGE, cursor } : {});
    if (!page.ok) return page;
    this.#put(page.value.items);
    if (this.#cursor === cursor) this.#continueAt(page.value.next);
    return ok(undefined);
  }

  /** Takes an entry that was just created or read. */
  add(summary: ConversationSummary): void {
    this.#touched.add(summary.id);
    this.#put([summary]);
  }

  remove(id: number): void {
    this.#items.set(this.get().filter((summary) => summary.id !== id));
    const store = this.store();
    store?.later([{ key: store.key("conversation", id) }]);
  }

  apply(id: number, events: readonly DurableEvent[]): void {
    const summary = this.get().find((each) => each.id === id);
    const newer = events.filter((event) => summary && event.seq > summary.seq);
    if (!summary || newer.length === 0) return;
    this.#touched.add(id);
    this.#put([newer.reduce(updated, summary)]);
    // The event has no first and last name.
    if (newer.some(({ type }) => type === "member")) void this.refresh();
  }

  clear(): void {
    this.#generation++;
    this.#flight = null;
    this.#cursor = null;
    this.#started = false;
    this.complete.set(false);
    this.#items.set([]);
  }

  async #refresh(): Promise<Result<void>> {
    this.#touched.clear();
    const page = await this.#page({ limit: PAGE });
    if (!page.ok) return page;
    const { items, next } = page.value;
    this.#dropMissing(items, next === null);
    this.#put(items);
    if (!this.#started) this.#continueAt(next);
    this.#started = true;
    return ok(undefined);
  }

  async #page(query: PageQuery): ReturnType<typeof listConversations> {
    const generation = this.#generation;
    const page = await listConversations(this.http, query);
    return generation === this.#generation ? page : OUTDATED;
  }

  #continueAt(cursor: string | null): void {
    this.#cursor = cursor;
    this.complete.set(cursor === null);
  }

  /** Removes entries that would be on the page if the user were still a member. */
  #dropMissing(page: readonly ConversationSummary[], whole: boolean): void {
    const ids = new Set(page.map(({ id }) => id));
    const oldest = page.at(-1)?.active_at ?? "";
    for (const { id, active_at } of this.get()) {
      if (!ids.has(id) && !this.#touched.has(id) && (whole || active_at > oldest)) this.remove(id);
    }
  }

  #put(entries: readonly ConversationSummary[]): void {
    const items = new Map(this.get().map((summary) => [summary.id, summary]));
    const changed = new Set<number>();
    for (const entry of entries) {
      const known = items.get(entry.id);
      // A page that was read before an event that is applied already.
      if (known && known.seq > entry.seq) continue;
      if (known && JSON.stringify(known) === JSON.stringify(entry)) continue;
      changed.add(entry.id);
      items.set(entry.id, entry);
      this.changed(entry);
    }
    if (changed.size === 0) return;
    const byActivity = (a: ConversationSummary, b: ConversationSummary): number =>
      a.active_at < b.active_at ? 1 : a.active_at > b.active_at ? -1 : b.id - a.id;
    const sorted = [...items.values()].sort(byActivity);
    this.#items.set(sorted);
    this.#persist(sorted, changed);
  }

  /** Storage keeps the entries with the latest activity: each that rises displaces one of them. */
  #persist(sorted: readonly ConversationSummary[], changed: ReadonlySet<number>): void {
    const store = this.store();
    const most = this.storedMost;
    sorted.slice(0, most + changed.size).forEach((entry, at) => {
      if (at < most && !changed.has(entry.id)) return;
      const value = at < most ? entry : undefined;
      store?.later([{ key: store.key("conversation", entry.id), value }]);
    });
  }
}

function updated(summary: ConversationSummary, event: DurableEvent): ConversationSummary {
  const { seq } = event;
  const last = summary.last_message;
  switch (event.type) {
    case "message": {
      const message = toMessage(event);
      const { number, timestamp } = event;
      return { ...summary, seq, number, active_at: timestamp, last_message: message };
    }
    case "message.edited":
    case "message.deleted": {
      if (last?.id !== event.message_id || event.version <= last.version)
        return { ...summary, seq };
      const content = event.type === "message.edited" ? event.message : "";
      return { ...summary, seq, last_message: { ...last, content, version: event.version } };
    }
    case "member":
      return { ...summary, seq };
  }
}
