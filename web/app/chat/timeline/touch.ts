// Whether a finger moves the timeline, or it still rolls on after the finger has left. Rows that are
// inserted above at that time would stop the movement or jump.

const STILL_MS = 100;

export class TouchScroll {
  #touching = false;
  #rolling = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly settled: () => void) {}

  get active(): boolean {
    return this.#touching || this.#rolling;
  }

  attach(scroller: HTMLElement): () => void {
    const end = new AbortController();
    const options = { signal: end.signal, passive: true };
    scroller.addEventListener("touchstart", () => (this.#touching = true), options);
    for (const type of ["touchend", "touchcancel"] as const) {
      scroller.addEventListener(type, (event) => this.#lifted(event), options);
    }
    scroller.addEventListener("scroll", () => this.#scrolled(), options);
    scroller.addEventListener("scrollend", () => this.#settle(), options);
    return () => {
      end.abort();
      clearTimeout(this.#timer);
    };
  }

  #lifted(event: TouchEvent): void {
    this.#touching = event.touches.length > 0;
    if (this.#touching) return;
    this.#rolling = true;
    this.#wait();
  }

  #scrolled(): void {
    if (this.#rolling) this.#wait();
  }

  /** Browsers without `scrollend` have come to rest when nothing scrolled for a moment. */
  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), STILL_MS);
  }

  #settle(): void {
    if (this.#touching || !this.#rolling) return;
    clearTimeout(this.#timer);
    this.#rolling = false;
    this.settled();
  }
}
