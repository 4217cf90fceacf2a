// Keeps what is written in one conversation: after a pause in the typing, and at once when it is left.
import type { ConversationId } from "@colloquy/sdk";

import type { Draft, Drafts } from "../../session/drafts.ts";

const PAUSE_MS = 300;

export class DraftKeeper {
  #pending: Draft | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly drafts: Drafts,
    private readonly conversationId: ConversationId,
  ) {}

  get stored(): Draft | undefined {
    return this.drafts.get(this.conversationId);
  }

  /** Something was written that is not stored yet. */
  get pending(): boolean {
    return this.#pending !== null;
  }

  keep(draft: Draft): void {
    this.#pending = draft;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), PAUSE_MS);
  }

  /** The outbox has the message: nothing is left to keep. */
  clear(): void {
    this.#pending = { text: "", replyTo: null };
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    if (this.#pending) void this.drafts.save(this.conversationId, this.#pending);
    this.#pending = null;
  }
}
