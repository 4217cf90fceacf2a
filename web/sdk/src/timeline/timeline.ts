/** The timeline of one conversation: pages from the server into the log, and the window as rows. */
import { listMessages, type HistoryQuery } from "../api/chat.js";
import type { Http } from "../api/http.js";
import type { ResetReason } from "../connection/continuity.js";
import { writable } from "../readable.js";
import { ok, OUTDATED, type Result } from "../result.js";
import type { HoleRow, Outgoing, Timeline, TimelineRow, TimelineWindow } from "../types.js";
import type { HistoryResponse, Message } from "../wire/api.js";
import type { DurableEvent } from "../wire/socket.js";
import { findById } from "./find.js";
import { MessageLog, ownKey, type WindowLimits } from "./log.js";

const PAGE = 100;
const STEP = 60;

export interface TimelineDeps {
  http: Http;
  conversationId: number;
  limits: WindowLimits;
  userId(): number | null;
  echoes(): Iterable<Outgoing>;
  /** Messages were read or changed. */
  changed(messages: readonly Message[]): void;
}

export class TimelineHost implements Timeline {
  readonly window = writable<TimelineWindow>({
    rows: [],
    atStart: false,
    atEnd: true,
    following: true,
    lastNumber: 0,
    loaded: false,
  });
  readonly log: MessageLog;
  /** Pages on their way. */
  #loading = 0;
  /** Changes when everything is forgotten: a page asked for before does not count. */
  #generation = 0;
  /** What is shown comes from storage. */
  #preview = false;

  constructor(readonly deps: TimelineDeps) {
    this.log = new MessageLog(deps.limits);
  }

  /** Shows what storage has, until the first page of the server replaces it. */
  restore(messages: readonly Message[]): void {
    if (this.log.loaded || messages.length === 0) return;
    this.#preview = true;
    this.log.merge(messages);
    for (const message of messages) this.log.extend(message.number);
    this.log.begin();
    this.publish();
  }

  apply(events: readonly DurableEvent[]): void {
    const { last } = this.log;
    const changed = events.flatMap((event) => this.log.apply(event) ?? []);
    this.log.slide(last);
    if (this.#loading === 0) this.log.settleChanges();
    this.deps.changed(changed);
    this.publish();
  }

  acknowledge(message: Message): boolean {
    const shown = this.log.acknowledge(message);
    this.publish();
    return shown;
  }

  /** Reads the newest page, and after a reset what is on the screen again. */
  async loadNewest(reset: ResetReason | null): Promise<Result<number>> {
    let place: number | null = null;
    const page = await this.#page({ limit: PAGE }, (read) => {
      // A reader who has moved away from the end of what storage had stays there.
      if (this.#preview && !reset && !this.log.follow) place = this.log.middle;
      // Storage is shared by tabs and may be older or newer than any of them: what it has is shown
      // early and never built upon.
      // Not published: the page takes its place at once.
      if (reset === "epoch_changed" || this.#preview) this.#forget();
      this.#preview = false;
      const oldest = read.messages[0]?.number ?? 0;
      if (this.log.loaded && oldest > this.log.last + 1) this.log.detach();
    });
    if (!page.ok) return page;
    this.log.begin();
    if (place !== null) {
      // Published when it is complete: what is on the screen is the same, as storage had it.
      this.log.around(place);
      const kept = await this.#read();
      if (!kept.ok) return kept;
    }
    if (reset === "too_old") {
      const reread = await this.#reread(page.value.messages[0]?.number ?? 0);
      if (!reread.ok) return reread;
      this.log.forget(false);
    }
    this.publish();
    return ok(page.value.as_of_seq);
  }

  /** Reads the rows of the window again that are older than the newest page. */
  async #reread(before: number): Promise<Result<void>> {
    const end = Math.min(this.log.high, before - 1);
    for (let number = this.log.low; number <= end;) {
      const page = await this.#page({ after: number - 1, limit: PAGE });
      if (!page.ok) return page;
      const newest = page.value.messages.at(-1)?.number ?? 0;
      if (newest < number) break;
      number = newest + 1;
    }
    return ok(undefined);
  }

  earlier(count = STEP): Promise<Result<void>> {
    this.log.earlier(count);
    return this.#complete();
  }

  later(count = STEP): Promise<Result<void>> {
    this.log.later(count);
    return this.#complete();
  }

  around(number: number): Promise<Result<void>> {
    this.log.around(number);
    return this.#complete();
  }

  latest(): Promise<Result<void>> {
    this.log.latest();
    return this.#complete();
  }

  detach(): void {
    this.log.detach();
    this.publish();
  }

  fill(hole: HoleRow): Promise<Result<void>> {
    return this.#complete(hole.from, hole.to);
  }

  async find(id: number): Promise<Result<Message | null>> {
    const known = this.log.byId(id);
    if (known) return ok(known);
    return findById(id, this.log.last, async (around) => {
      const page = await this.#page({ around, limit: PAGE });
      return page.ok ? ok(page.value.messages) : page;
    });
  }

  /** Shows the window, and reads what is missing in it or in a part of it. */
  #complete(low?: number, high?: number): Promise<Result<void>> {
    this.publish();
    return this.#read(low, high);
  }

  async #read(low?: number, high?: number): Promise<Result<void>> {
    for (;;) {
      const missing = this.log.missing(low, high);
      if (!missing) return ok(undefined);
      const page = await this.#page({ before: missing.to + 1, limit: PAGE });
      // What is missing now is another matter.
      if (page === OUTDATED) continue;
      if (!page.ok) return page;
      this.publish();
      const rest = this.log.missing(low, high);
      // The server has no more of these: what is missing stays a hole.
      if (rest && rest.from === missing.from && rest.to === missing.to) return ok(undefined);
    }
  }

  async #page(
    query: HistoryQuery,
    before?: (page: HistoryResponse) => void,
  ): Promise<Result<HistoryResponse>> {
    const generation = this.#generation;
    this.#loading++;
    const page = await listMessages(this.deps.http, this.deps.conversationId, query);
    this.#loading--;
    if (!page.ok) return page;
    if (generation !== this.#generation) return OUTDATED;
    before?.(page.value);
    const { messages } = page.value;
    const oldest = messages[0]?.number;
    if (!page.value.next_before && oldest !== undefined) this.log.first = oldest;
    const kept = this.log.merge(messages);
    this.log.extend(messages.at(-1)?.number ?? 0);
    this.deps.changed(kept);
    if (this.#loading === 0) this.log.settleChanges();
    return page;
  }

  /** Forgets everything: the database has another history, or another user is logged in. */
  forget(): void {
    this.#forget();
    this.publish();
  }

  #forget(): void {
    this.#generation++;
    this.log.forget(true);
  }

  publish(): void {
    const { log, deps } = this;
    log.trim();
    const rows = log.rows(deps.userId());
    if (log.follow) {
      for (const outgoing of deps.echoes()) rows.push(echo(outgoing));
    }
    this.window.set({
      rows,
      atStart: log.low <= log.first,
      atEnd: log.high >= log.last,
      following: log.follow,
      lastNumber: log.last,
      loaded: log.loaded,
    });
  }
}

const echo = (outgoing: Outgoing): TimelineRow => ({
  kind: "echo",
  key: ownKey(outgoing.clientMessageId),
  outgoing,
});
