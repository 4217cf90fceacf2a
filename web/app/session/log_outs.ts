// Which users a person has logged out in this browser, in this tab or another one. What is stored of them is
// removed. What is stored for a login that the server has ended is kept.
import type { UserId } from "@colloquy/sdk";

const CHANNEL = "colloquy-log-out";

export class LogOuts {
  readonly #users = new Set<UserId>();
  readonly #channel =
    typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);

  constructor() {
    this.#channel?.addEventListener("message", ({ data }) => this.#users.add(Number(data)));
  }

  has(userId: UserId): boolean {
    return this.#users.has(userId);
  }

  /** A person logs this user out. Other tabs know it before they see that the login has ended. */
  add(userId: UserId): void {
    this.#users.add(userId);
    this.#channel?.postMessage(userId);
  }

  /** The user has logged in again. */
  remove(userId: UserId): void {
    this.#users.delete(userId);
  }

  close(): void {
    this.#channel?.close();
  }
}
