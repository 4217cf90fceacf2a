// Connects the window of the SDK to the document: applies changes once a frame, keeps what is read in place,
// reads more near the edges, and knows what is new. The rules are in the modules beside it.
import type {
  Conversation,
  HoleRow,
  Message,
  MessageId,
  Result,
  TimelineWindow,
  User,
} from "@colloquy/sdk";
import { flushSync } from "svelte";

import { toasts } from "../../../ui/toasts.svelte.ts";
import { errorText } from "../../errors/texts.ts";
import { i18n } from "../../i18n/index.ts";
import { ScrollAnchor } from "./anchor.ts";
import { DomViewport } from "./dom_viewport.ts";
import { wantedEdge } from "./edges.ts";
import { frameTask } from "./frame.ts";
import { TimelineItems, type Day, type MessageItem } from "./items.ts";
import { savedPosition, savePosition, type PositionOf, type SavedPosition } from "./position.ts";
import { TouchScroll } from "./touch.ts";
import { Unread } from "./unread.ts";

/** A message one jumps to is shown this far from the top. */
const JUMP_AT = 1 / 3;
const FLASH_MS = 1_600;
/** Rows that are inserted at a time. A whole page of the history at once takes longer than a frame. */
const STEP_ROWS = 20;
/** A shorter window is filled frame by frame, although no one has scrolled yet. */
const LEAST_ROWS = 50;

/** Where to go as soon as the rows are there. */
type Target = SavedPosition | Jump | "end";

interface Jump {
  readonly number: number;
  /** Where it began: if it fails, the way back. */
  readonly from: SavedPosition | "end";
}

export class TimelineController {
  days = $state.raw<readonly Day[]>([]);
  loaded = $state(false);
  atStart = $state(false);
  /** Messages that came while one was reading further up. */
  newCount = $state(0);
  /** The end of the conversation is on the screen. */
  atEnd = $state(true);
  /** The `number` of the message that a jump has led to, for a moment. */
  flashed = $state<number | null>(null);

  readonly #items = new TimelineItems();
  readonly #unread = new Unread();
  readonly #frame = frameTask(() => this.#apply());
  readonly #touch = new TouchScroll(() => this.#frame.request());
  #viewport: DomViewport | null = null;
  #anchor: ScrollAnchor | null = null;
  #target: Target | null;
  #direction: "up" | "down" | "none" = "none";
  #lastTop = 0;
  #loading: Promise<Result<void>> | null = null;
  /** The last page could not be read. */
  #stalled = false;
  readonly #lookedUp = new Set<MessageId>();
  #firstKey: string | undefined;
  /** Whether the rows on the screen reach the end of the conversation. */
  #complete = true;
  #flashTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #positionOf: PositionOf;

  constructor(
    private readonly conversation: Conversation,
    private readonly user: User,
  ) {
    this.#positionOf = { userId: user.id, conversationId: conversation.id };
    this.#target = savedPosition(this.#positionOf) ?? "end";
  }

  get #window(): TimelineWindow {
    return this.conversation.timeline.window.get();
  }

  /** Connects the scrolling element; the returned function disconnects it. */
  attach = (scroller: HTMLElement): (() => void) => {
    this.#viewport = new DomViewport(scroller, (top) => (this.#lastTop = top));
    this.#anchor = new ScrollAnchor(this.#viewport);
    const end = new AbortController();
    const { signal } = end;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true, signal });
    window.addEventListener("blur", () => this.#unread.left(), { signal });
    window.addEventListener("focus", () => this.#returned(), { signal });
    window.addEventListener("pagehide", () => this.#savePosition(), { signal });
    const untouch = this.#touch.attach(scroller);
    const sizes = new ResizeObserver(() => this.#resized());
    sizes.observe(scroller);
    if (scroller.firstElementChild) sizes.observe(scroller.firstElementChild);
    const unsubscribe = this.conversation.timeline.window.subscribe(() => this.#frame.request());
    if (!document.hasFocus()) this.#unread.left();
    return () => {
      this.#savePosition();
      unsubscribe();
      sizes.disconnect();
      untouch();
      end.abort();
      this.#frame.cancel();
      clearTimeout(this.#flashTimer);
    };
  };

  /** Goes to the end and follows what comes. */
  async toEnd(): Promise<void> {
    this.#target = "end";
    if (!this.#window.atEnd) await this.conversation.timeline.latest();
    this.#apply();
  }

  /** The button "3 new": first to the first of them, then to the end. */
  async toNew(): Promise<void> {
    const first = this.#unread.first(this.#window.lastNumber);
    const row = first === null ? undefined : this.#rowOf(first);
    const below = row && row.getBoundingClientRect().top > (this.#bottom ?? 0);
    if (first !== null && (!row || below)) this.toMessage(first);
    else await this.toEnd();
  }

  /** Shows a message, wherever it is, and gives it the focus. */
  toMessage(number: number): void {
    this.#target = { number, from: this.#origin };
    this.#apply();
  }

  /** The reader has sent a message. */
  async sent(): Promise<void> {
    this.#unread.sent();
    await this.toEnd();
  }

  /** A message that has been loaded, in the window or not. What reads it follows new rows. */
  find(id: MessageId): Message | null {
    void this.days;
    return this.#items.find(id);
  }

  /** Reads a message that is quoted and was not loaded. */
  async lookUp(id: MessageId): Promise<void> {
    if (this.#lookedUp.has(id)) return;
    this.#lookedUp.add(id);
    const found = await this.conversation.timeline.find(id);
    // After a failure the quote asks again when it is next rendered.
    if (!found.ok) this.#lookedUp.delete(id);
    else if (found.value) {
      this.#items.remember(found.value);
      this.#frame.request();
    }
  }

  /** The reader's newest message in the window that was not deleted. */
  lastOwn(): MessageItem | null {
    const items = this.days.flatMap((day) => day.items);
    const found = items.findLast(
      (item) => item.kind === "message" && item.own && item.message !== null && item.text !== "",
    );
    return found?.kind === "message" ? found : null;
  }

  /** Reads the messages of a hole. An edge that is being read already may be the same hole. */
  async fill(hole: HoleRow): Promise<Result<void>> {
    const running = await this.#loading;
    if (running && !running.ok) return running;
    return this.conversation.timeline.fill(hole);
  }

  #apply(): void {
    const window = this.#window;
    const firstKey = window.rows[0]?.key;
    // Rows above must not move while a finger scrolls.
    if (this.#touch.active && firstKey !== this.#firstKey && this.#target === null) return;
    this.#keepPlace(window);
    if (this.#awaitsTarget(window)) return;
    this.#firstKey = firstKey;
    const reaches = window.atEnd !== this.#complete;
    this.#complete = window.atEnd;
    if (window.loaded) this.#unread.shown(window.lastNumber, this.#seesEnd);
    this.loaded = window.loaded;
    this.atStart = window.atStart;
    this.days = this.#items.update(window.rows, this.user, this.#unread.divider);
    flushSync();
    if (this.#target !== null) this.#goToTarget(this.#target, window);
    else this.#anchor?.restore();
    if (reaches) this.#anchor?.hold(this.#complete);
    this.#moved();
  }

  /**
   * What is read must stay, also when the window was replaced by one without it: so does the first page of
   * the server after a reload.
   */
  #keepPlace(window: TimelineWindow): void {
    if (this.#target !== null || !this.loaded || !this.#anchor) return;
    for (const { key, offset } of this.#anchor.places) {
      const number = this.#items.numberOf(key);
      if (number === null) continue;
      if (!hasMessage(window, number)) this.#target = { number, offset };
      return;
    }
  }

  /** Until the rows of a target are there, what is on the screen stays. */
  #awaitsTarget(window: TimelineWindow): boolean {
    const target = this.#target;
    if (target === null || target === "end" || !window.loaded) return false;
    if (hasMessage(window, target.number)) return false;
    if (this.#loading === null) void this.#load(() => this.#around(target));
    return true;
  }

  #goToTarget(target: Target, window: TimelineWindow): void {
    if (!window.loaded) return;
    if (target === "end") {
      this.#target = null;
      this.#anchor?.holdEnd();
      return;
    }
    this.#target = null;
    const key = this.#rowOf(target.number)?.dataset["key"];
    if (key === undefined) return;
    const jump = "from" in target;
    this.#anchor?.holdRow(key, jump ? (this.#viewport?.height ?? 0) * JUMP_AT : target.offset);
    if (jump) this.#arrived(target.number);
  }

  async #around(target: Exclude<Target, "end">): Promise<Result<void>> {
    const result = await this.conversation.timeline.around(target.number);
    const found = hasMessage(this.#window, target.number);
    if (!found && this.#target === target) this.#missed(target, result);
    return result;
  }

  /** The window has moved to rows that could not be read. */
  #missed(target: SavedPosition | Jump, result: Result<void>): void {
    const jump = "from" in target;
    if (jump) {
      const reason = result.ok ? "" : errorText(result.error, i18n.t);
      toasts.show(`${i18n.t.chat.quote.failed} ${reason}`.trim());
    }
    // In the place of an earlier visit, the end is as good as any other.
    const back = jump ? target.from : "end";
    if (back === "end") void this.toEnd();
    else this.#target = back;
  }

  /** Where a jump begins. One that follows another which has not arrived begins where that one did. */
  get #origin(): SavedPosition | "end" {
    const target = this.#target;
    if (target !== null) return target !== "end" && "from" in target ? target.from : target;
    return this.#seesEnd ? "end" : (this.#topMessage() ?? "end");
  }

  #arrived(number: number): void {
    this.#rowOf(number)?.focus({ preventScroll: true });
    this.flashed = number;
    clearTimeout(this.#flashTimer);
    this.#flashTimer = setTimeout(() => (this.flashed = null), FLASH_MS);
  }

  #scrolled(): void {
    const top = this.#viewport?.top ?? 0;
    // The event of a correction comes a frame later, when the size may have changed again: what was held stays held.
    if (Math.abs(top - this.#lastTop) >= 1) {
      this.#direction = top < this.#lastTop ? "up" : "down";
      this.#stalled = false;
      this.#lastTop = top;
      this.#anchor?.hold(this.#complete);
    }
    this.#moved();
  }

  #resized(): void {
    if (this.#target !== null) return;
    this.#anchor?.restore();
    this.#moved();
  }

  #returned(): void {
    this.#unread.returned(this.#window.lastNumber);
    this.#frame.request();
  }

  get #seesEnd(): boolean {
    return this.#anchor?.atEnd === true && this.#window.atEnd;
  }

  get #bottom(): number | undefined {
    return this.#viewport ? this.#viewport.height + this.#viewport.edge : undefined;
  }

  /** The position changed, by a person or by new rows. */
  #moved(): void {
    const window = this.#window;
    if (!window.loaded) return;
    this.#unread.shown(window.lastNumber, this.#seesEnd);
    this.newCount = this.#unread.count(window.lastNumber);
    this.atEnd = this.#seesEnd;
    if (this.#target !== null) return;
    this.#follow(window);
    this.#readEdges(window);
  }

  /** Further up, new messages must not push out what is read. */
  #follow(window: TimelineWindow): void {
    const { timeline } = this.conversation;
    if (window.following && !this.#seesEnd) timeline.detach();
    else if (!window.following && this.#seesEnd) void timeline.later(1);
  }

  #readEdges(window: TimelineWindow): void {
    const viewport = this.#viewport;
    if (!viewport || this.#loading || this.#stalled) return;
    const { top, height, content } = viewport;
    const { atStart, atEnd } = window;
    const direction = this.#direction;
    const short = !atStart && window.rows.length < LEAST_ROWS;
    const edge = short
      ? "earlier"
      : wantedEdge({ top, height, content, direction, atStart, atEnd });
    if (edge) void this.#load(() => this.conversation.timeline[edge](STEP_ROWS));
  }

  async #load(read: () => Promise<Result<void>>): Promise<void> {
    this.#loading = read();
    const { ok } = await this.#loading;
    this.#loading = null;
    // A failure shows at the hole it left. The next scrolling tries again, and nothing before it.
    this.#stalled = !ok;
    this.#frame.request();
  }

  #rowOf(number: number): HTMLElement | undefined {
    return this.#viewport?.rows().find(({ dataset }) => dataset["number"] === String(number));
  }

  #savePosition(): void {
    if (this.#target !== null && this.#target !== "end") return;
    const place = this.#seesEnd ? null : this.#topMessage();
    savePosition(this.#positionOf, place);
  }

  #topMessage(): SavedPosition | null {
    for (const { key, offset } of this.#viewport?.visible() ?? []) {
      const number = Number(this.#viewport?.row(key)?.dataset["number"]);
      if (number > 0) return { number, offset };
    }
    return null;
  }
}

const hasMessage = ({ rows }: TimelineWindow, number: number): boolean =>
  rows.some((row) => row.kind === "message" && row.message.number === number);
