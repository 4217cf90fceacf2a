// Texts that are written but not sent, one for each conversation. They survive a reload, and leave only when
// the composer is emptied or the outbox has taken over the message.
import type { ChatStorage, ConversationId, MessageId, Readable, UserId } from "@colloquy/sdk";

export interface Draft {
  readonly text: string;
  /** The message that is answered. */
  readonly replyTo: MessageId | null;
}

export type DraftMap = ReadonlyMap<ConversationId, Draft>;

const isEmpty = (draft: Draft): boolean => draft.text === "" && draft.replyTo === null;

export class Drafts implements Pick<Readable<DraftMap>, "subscribe"> {
  readonly #storage: ChatStorage;
  readonly #prefix: string;
  readonly #subscribers = new Set<(drafts: DraftMap) => void>();
  #drafts: DraftMap = new Map();
  /** Conversations whose draft has changed since the page was opened. */
  readonly #changed = new Set<ConversationId>();

  constructor(storage: ChatStorage, userId: UserId) {
    this.#storage = storage;
    this.#prefix = `user/${userId}/draft/`;
  }

  /** Reads what an earlier page has stored. Drafts written or removed since then win. */
  async load(): Promise<void> {
    const stored = await this.#storage.list(this.#prefix).catch(() => []);
    const drafts = new Map<ConversationId, Draft>();
    for (const [key, value] of stored) {
      const id = Number(key.slice(this.#prefix.length));
      const current = Number.isSafeInteger(id) && !this.#changed.has(id);
      if (current && isDraft(value)) drafts.set(id, value);
    }
    this.#set(new Map([...drafts, ...this.#drafts]));
  }

  get(id: ConversationId): Draft | undefined {
    return this.#drafts.get(id);
  }

  /** Keeps a draft; an empty one is removed. Callers wait for a pause in the typing. */
  async save(id: ConversationId, draft: Draft): Promise<void> {
    this.#changed.add(id);
    const next = new Map(this.#drafts);
    if (isEmpty(draft)) next.delete(id);
    else next.set(id, draft);
    this.#set(next);
    const change = isEmpty(draft)
      ? { key: `${this.#prefix}${id}` }
      : { key: `${this.#prefix}${id}`, value: draft };
    // Without storage the draft lasts as long as the page; the client reports full storage itself.
    await this.#storage.write([change]).catch(() => undefined);
  }

  subscribe(run: (drafts: DraftMap) => void): () => void {
    const subscriber = (drafts: DraftMap): void => run(drafts);
    this.#subscribers.add(subscriber);
    run(this.#drafts);
    return () => this.#subscribers.delete(subscriber);
  }

  #set(drafts: DraftMap): void {
    this.#drafts = drafts;
    for (const run of this.#subscribers) run(drafts);
  }
}

function isDraft(value: unknown): value is Draft {
  return (
    typeof value === "object" &&
    value !== null &&
    "text" in value &&
    typeof value.text === "string" &&
    "replyTo" in value &&
    (value.replyTo === null || typeof value.replyTo === "number")
  );
}
