// What a person does with the rows of a timeline: moves the focus between them, points at one, or asks for
// the actions of one by keyboard, right click or long press. One set of listeners serves all rows.

/** What keys on a focused row ask for. Letters are left to the settings. */
export type RowCommand = "actions" | "reply" | "edit" | "remove" | "composer";

export interface RowHandlers {
  /** A command of the row with this key. `at`: where the pointer is, for a menu. */
  command(key: string, command: RowCommand, at: DOMRect): void;
  /** Whether single letters act. */
  letters(): boolean;
}

const LONG_PRESS_MS = 500;
/** A finger that moves further scrolls. */
const MOVED_PX = 10;

export class RowEvents {
  /** The row that has the focus, or had it last: the one that Tab leads to. */
  focused = $state<string | null>(null);
  /** The row under the pointer. */
  hovered = $state<string | null>(null);

  #scroller: HTMLElement | null = null;
  #press: { timer: ReturnType<typeof setTimeout>; x: number; y: number } | null = null;

  constructor(private readonly handlers: RowHandlers) {}

  attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    const end = new AbortController();
    const listen = <K extends keyof HTMLElementEventMap>(
      type: K,
      run: (event: HTMLElementEventMap[K]) => void,
    ) => scroller.addEventListener(type, run, { signal: end.signal });
    listen("keydown", (event) => this.#key(event));
    listen("focusin", (event) => (this.focused = keyOf(event.target) ?? this.focused));
    // Not `pointerover`: rows that scroll past a resting pointer would each get their buttons for a moment.
    listen("pointermove", (event) => this.#pointed(event));
    listen("pointerleave", () => (this.hovered = null));
    listen("scroll", () => (this.hovered = null));
    // Every browser has made it a `PointerEvent` since 2024; before, `pointerType` is undefined.
    listen("contextmenu", (event) => this.#contextMenu(event as PointerEvent));
    listen("pointerdown", (event) => this.#pressed(event));
    listen("pointerup", () => this.#released());
    listen("pointercancel", () => this.#released());
    return () => {
      end.abort();
      this.#cancelPress();
    };
  };

  focusRow(key: string): void {
    this.#rows()
      .find(({ dataset }) => dataset["key"] === key)
      ?.focus();
  }

  /** The row that takes the focus when this one disappears: the next one, or the one before. */
  neighbour(key: string): string | null {
    const keys = this.#rows().map(({ dataset }) => dataset["key"] ?? "");
    const at = keys.indexOf(key);
    return keys[at + 1] ?? keys[at - 1] ?? null;
  }

  #rows(): HTMLElement[] {
    return [...(this.#scroller?.querySelectorAll<HTMLElement>("[data-key][tabindex]") ?? [])];
  }

  #key(event: KeyboardEvent): void {
    const row = event.target as HTMLElement;
    const key = row.dataset["key"];
    // Keys on a button within a row belong to the button, except Escape.
    if (key === undefined && event.key !== "Escape") return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const command = this.#commandOf(event);
    if (command) {
      event.preventDefault();
      this.handlers.command(key ?? keyOf(row) ?? "", command, row.getBoundingClientRect());
    } else if (this.#move(event.key, row)) {
      event.preventDefault();
    }
  }

  #commandOf({ key, shiftKey }: KeyboardEvent): RowCommand | null {
    if (key === "Escape") return "composer";
    if (key === "Enter" || key === "ContextMenu" || (key === "F10" && shiftKey)) return "actions";
    if (!this.handlers.letters()) return null;
    if (key === "Delete") return "remove";
    if (key === "r" || key === "R") return "reply";
    return key === "e" || key === "E" ? "edit" : null;
  }

  #move(key: string, row: HTMLElement): boolean {
    const rows = this.#rows();
    const target = rows[targetIndex(key, rows.indexOf(row), rows.length, this.#pageOf(rows))];
    if (!target) return false;
    target.focus();
    return true;
  }

  /** How many rows a page has, by the heights of those that are rendered. */
  #pageOf(rows: readonly HTMLElement[]): number {
    const scroller = this.#scroller;
    if (!scroller) return 1;
    return Math.max(1, Math.floor((scroller.clientHeight / scroller.scrollHeight) * rows.length));
  }

  #contextMenu(event: PointerEvent): void {
    const key = keyOf(event.target);
    // Links and selected text have a menu of the browser that is more useful.
    if (key === null || isOwnMenu(event.target)) return;
    event.preventDefault();
    // A finger that rests has its own timer, since iOS has no `contextmenu`.
    if (event.pointerType === "touch") return;
    const at = new DOMRect(event.clientX, event.clientY, 0, 0);
    const open = () => this.handlers.command(key, "actions", at);
    if (event.buttons === 0) open();
    else whenReleased(open);
  }

  #pressed(event: PointerEvent): void {
    const key = keyOf(event.target);
    if (event.pointerType === "mouse" || key === null || isOwnMenu(event.target)) return;
    const { clientX: x, clientY: y } = event;
    const timer = setTimeout(() => {
      this.#press = null;
      swallowTap();
      whenReleased(() => this.handlers.command(key, "actions", new DOMRect(x, y, 0, 0)));
    }, LONG_PRESS_MS);
    this.#press = { timer, x, y };
  }

  #pointed(event: PointerEvent): void {
    if (event.pointerType === "mouse") this.hovered = keyOf(event.target);
    else this.#dragged(event);
  }

  #dragged({ clientX, clientY }: PointerEvent): void {
    if (!this.#press) return;
    const { x, y } = this.#press;
    if (Math.hypot(clientX - x, clientY - y) > MOVED_PX) this.#cancelPress();
  }

  #released(): void {
    this.#cancelPress();
  }

  #cancelPress(): void {
    clearTimeout(this.#press?.timer);
    this.#press = null;
  }
}

/** The index of the row a key leads to; -1 if the key does not move. */
function targetIndex(key: string, at: number, count: number, page: number): number {
  const last = count - 1;
  switch (key) {
    case "ArrowUp":
      return Math.max(0, at - 1);
    case "ArrowDown":
      return Math.min(last, at + 1);
    case "PageUp":
      return Math.max(0, at - page);
    case "PageDown":
      return Math.min(last, at + page);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return -1;
  }
}

/** A popover that opens while a button or finger is down is closed by its release. */
function whenReleased(open: () => void): void {
  const end = new AbortController();
  const { signal } = end;
  const release = () => {
    end.abort();
    setTimeout(open);
  };
  addEventListener("pointerup", release, { signal });
  addEventListener("pointercancel", () => end.abort(), { signal });
}

/** A finger that is lifted also clicks, unless that is prevented: the click would close what has just opened. */
function swallowTap(): void {
  const end = new AbortController();
  const { signal } = end;
  const lifted = (event: TouchEvent) => {
    end.abort();
    if (event.cancelable) event.preventDefault();
  };
  addEventListener("touchend", lifted, { signal, passive: false });
  addEventListener("touchcancel", () => end.abort(), { signal });
}

function keyOf(target: EventTarget | null): string | null {
  const row = target instanceof Element ? target.closest<HTMLElement>("[data-key]") : null;
  return row?.dataset["key"] ?? null;
}

function isOwnMenu(target: EventTarget | null): boolean {
  if (target instanceof Element && target.closest("a, button, input, textarea")) return true;
  return getSelection()?.isCollapsed === false;
}
