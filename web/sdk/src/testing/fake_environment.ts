/** A page whose network and visibility a test decides. */
import type { Environment, EnvironmentEvent } from "../platform/ports.js";

export class FakeEnvironment implements Environment {
  #online = true;
  #visible = true;
  readonly #listeners = new Set<(event: EnvironmentEvent) => void>();

  online(): boolean {
    return this.#online;
  }

  visible(): boolean {
    return this.#visible;
  }

  listen(run: (event: EnvironmentEvent) => void): () => void {
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  setOnline(online: boolean): void {
    this.#online = online;
    this.#emit(online ? "online" : "offline");
  }

  setVisible(visible: boolean): void {
    this.#visible = visible;
    this.#emit(visible ? "visible" : "hidden");
  }

  /** The page returns from sleep. */
  resume(): void {
    this.#emit("resumed");
  }

  #emit(event: EnvironmentEvent): void {
    for (const run of [...this.#listeners]) run(event);
  }
}
