// When the page says that it is not connected. A short interruption, such as a deploy, shows nothing.
import type { ConnectionState, Readable } from "@colloquy/sdk";

const LOST_AFTER_MS = 2_000;
const BACK_FOR_MS = 2_000;

const DOWN: ReadonlySet<ConnectionState["name"]> = new Set(["connecting", "waiting", "offline"]);

/** `lost` after two seconds without a connection; then `back` for two seconds after it returned. */
export class LineBanner {
  view = $state<"none" | "lost" | "back">("none");
  #timer: ReturnType<typeof setTimeout> | undefined;
  #down = false;

  /** Follows a connection. Returns the way out. */
  follow(state: Readable<ConnectionState>): () => void {
    const unsubscribe = state.subscribe(({ name }) => {
      const down = DOWN.has(name);
      if (down !== this.#down) this.#changed(down, name === "live");
    });
    return () => {
      unsubscribe();
      clearTimeout(this.#timer);
    };
  }

  #changed(down: boolean, live: boolean): void {
    this.#down = down;
    clearTimeout(this.#timer);
    if (down) {
      this.#later(LOST_AFTER_MS, "lost");
    } else if (this.view === "lost" && live) {
      this.view = "back";
      this.#later(BACK_FOR_MS, "none");
    } else {
      this.view = "none";
    }
  }

  #later(ms: number, view: "none" | "lost"): void {
    this.#timer = setTimeout(() => (this.view = view), ms);
  }
}
