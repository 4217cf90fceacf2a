/**
 * Keeps the login, the user and the list of conversations current over REST: tried with backoff
 * until it succeeds, then repeated while the page is visible.
 */
import { reconnectDelay } from "../connection/backoff.js";
import type { Clock } from "../platform/ports.js";
import { Timers } from "../platform/timers.js";
import { writable } from "../readable.js";
import { fail, type Result } from "../result.js";
import type { StreamState } from "../types.js";

const UNEXPECTED = fail("unexpected", "The answer is not one of this protocol.");
const SPACING_MS = 2_000;

export interface SessionLoopDeps {
  clock: Clock;
  random: () => number;
  refreshMs: number;
  visible(): boolean;
  /** One round: the user if not known, and the first page of the list. */
  round(): Promise<Result<void>>;
}

export class SessionLoop {
  readonly state = writable<StreamState>({ name: "closed" });
  readonly #timers: Timers<"next">;
  #attempt = 0;
  #lastAt = -Infinity;
  /** Changes with every start and stop: a round of before does not count. */
  #run = 0;
  #inFlight = false;

  constructor(readonly deps: SessionLoopDeps) {
    this.#timers = new Timers(deps.clock, () => void this.#round());
  }

  start(): void {
    this.#run++;
    this.#attempt = 0;
    this.#inFlight = false;
    this.state.set({ name: "connecting" });
    void this.#round();
  }

  stop(): void {
    this.#run++;
    this.#timers.clear();
    this.state.set({ name: "closed" });
  }

  /** The page became visible, the network came, or a person wants it. */
  wake(): void {
    if (this.state.get().name === "closed" || this.#inFlight) return;
    // A clock that was set back does not stretch it.
    const wait = Math.min(SPACING_MS, this.#lastAt + SPACING_MS - this.deps.clock.now());
    if (wait <= 0) void this.#round();
    else this.#timers.set("next", wait);
  }

  async #round(): Promise<void> {
    const run = this.#run;
    this.#timers.cancel("next");
    // A hidden page shows no list; `wake` comes when it is shown.
    if (this.#attempt === 0 && this.state.get().name === "live" && !this.deps.visible()) return;
    this.#lastAt = this.deps.clock.now();
    this.#inFlight = true;
    // Whatever a round meets, the loop goes on.
    const result = await this.deps.round().catch(() => UNEXPECTED);
    if (run !== this.#run) return;
    this.#inFlight = false;
    if (result.ok) this.#succeeded();
    else if (result.error.code !== "signed_out") this.#failed(result);
  }

  #succeeded(): void {
    this.#attempt = 0;
    this.state.set({ name: "live" });
    if (Number.isFinite(this.deps.refreshMs)) this.#timers.set("next", this.deps.refreshMs);
  }

  #failed(result: Extract<Result<void>, { ok: false }>): void {
    const { error } = result;
    const backoff = reconnectDelay(this.#attempt, this.deps.random);
    const ms = Math.max(backoff, error.retryAfterMs ?? 0);
    this.#attempt += 1;
    const retryAt = this.deps.clock.now() + ms;
    this.state.set({ name: "waiting", attempt: this.#attempt, retryAt, cause: error.code });
    this.#timers.set("next", ms);
  }
}
