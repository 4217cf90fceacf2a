/** One message on its way, as the application sees it. */
import { writable, type Writable } from "../readable.js";
import { fail, ok, type ChatError, type Result } from "../result.js";
import type { Outgoing, OutgoingStatus, Sent } from "../types.js";
import { mayBeStored, type Item } from "./lane.js";

/** What an item can ask of the outbox it is in. */
export interface OutgoingOwner {
  retry(id: string): void;
  cancel(id: string): boolean;
}

export class OutgoingItem implements Outgoing {
  readonly status: Writable<OutgoingStatus> = writable<OutgoingStatus>("queued");
  readonly error = writable<ChatError | null>(null);
  readonly durable = writable(true);
  #settled: { promise: Promise<Result<Sent>>; resolve: (result: Result<Sent>) => void };

  constructor(
    readonly conversationId: number,
    readonly item: Item,
    /** Where storage has it; `null` as long as the user is not known. */
    public key: string | null,
    /** Without one it was refused before it came into an outbox. */
    readonly owner?: OutgoingOwner,
  ) {
    this.#settled = unsettled();
    this.update();
  }

  get clientMessageId(): string {
    return this.item.id;
  }
  get text(): string {
    return this.item.text;
  }
  get replyTo(): number | null {
    return this.item.replyTo;
  }
  get mentions(): readonly number[] {
    return this.item.mentions;
  }
  get createdAt(): number {
    return this.item.createdAt;
  }
  get mayBeStored(): boolean {
    return mayBeStored(this.item);
  }
  get settled(): Promise<Result<Sent>> {
    return this.#settled.promise;
  }

  retry(): void {
    if (this.status.get() !== "failed") return;
    this.#settled = unsettled();
    this.owner?.retry(this.item.id);
    this.update();
  }

  cancel(): boolean {
    if (this.status.get() === "sent" || this.owner?.cancel(this.item.id) === false) return false;
    this.#settled.resolve(fail("cancelled", "It was cancelled."));
    return true;
  }

  /** Takes over what the lane decided. */
  update(): void {
    if (this.status.get() === "sent") return;
    this.error.set(this.item.error);
    this.status.set(this.item.status);
    if (this.item.error) this.#settled.resolve({ ok: false, error: this.item.error });
  }

  /** Another user has logged in. It is sent when its sender is back, as another item. */
  left(): void {
    this.#settled.resolve(fail("signed_out", "Another user has logged in."));
  }

  sent(sent: Sent): void {
    // It had failed here, and the server has it all the same.
    if (this.status.get() === "failed") this.#settled = unsettled();
    this.error.set(null);
    this.status.set("sent");
    this.#settled.resolve(ok(sent));
  }
}

function unsettled(): {
  promise: Promise<Result<Sent>>;
  resolve: (result: Result<Sent>) => void;
} {
  let resolve!: (result: Result<Sent>) => void;
  const promise = new Promise<Result<Sent>>((done) => (resolve = done));
  return { promise, resolve };
}
