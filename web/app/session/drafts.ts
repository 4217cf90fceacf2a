// Texts that are written but not sent, one for each conversation. They survive a reload, and leave only when
// the composer is emptied or the outbox has taken over the message. The open tabs share them.
import type {
  ChatStorage,
  ConversationId,
  Message,
  MessageId,
  Readable,
  UserId,
} from "@colloquy/sdk";

export interface Draft {
  readonly text: string;
  /** The message that is answered. */
  readonly replyTo: MessageId | null;
  /** A change of a message that is not saved. `text` and `replyTo` are what it has interrupted. */
  readonly edit?: { readonly message: Message; readonly text: string };
}

/** What a person wrote last in a conversation. */
export const lastText = (draft: Draft | undefined): string | undefined =>
  draft?.edit?.text ?? draft?.text;

export type DraftMap = ReadonlyMap<ConversationId, Draft>;

const isEmpty = (draft: Draft): boolean =>
  draft.text === "" && draft.replyTo === null && !draft.edit;

export class Drafts implements Pick<Readable<DraftMap>, "subscribe"> {
  readonly #storage: ChatStorage;
  readonly #prefix: string;
  readonly #subscribers = new Set<(drafts: DraftMap) => void>();
  #drafts: DraftMap = new Map();
  /** How often the draft of a conversation has changed here. What was read before a change is outdated. */
  readonly #changes = new Map<ConversationId, number>();
  readonly #channel: BroadcastChannel | null;

  constructor(storage: ChatStorage, userId: UserId) {
    this.#storage = storage;
    this.#prefix = `user/${userId}/draft/`;
    this.#channel =
      typeof BroadcastChannel === "undefined"
        ? null
        : new BroadcastChannel(`colloquy-drafts-${userId}`);
    this.#channel?.addEventListener("message", ({ data }) => void this.#read(Number(data)));
  }

  /** Reads what an earlier page has stored. Drafts written or removed since then win. */
  async load(): Promise<void> {
    const stored = await this.#storage.list(this.#prefix).catch(() => []);
    const drafts = new Map<ConversationId, Draft>();
    for (const [key, value] of stored) {
      const id = Number(key.slice(this.#prefix.length));
      const current = Number.isSafeInteger(id) && !this.#changes.has(id);
      if (current && isDraft(value)) drafts.set(id, value);
    }
    this.#set(new Map([...drafts, ...this.#drafts]));
  }

  get(id: ConversationId): Draft | undefined {
    return this.#drafts.get(id);
  }

  /** Keeps a draft; an empty one is removed. Callers wait for a pause in the typing. */
  async save(id: ConversationId, draft: Draft): Promise<void> {
    const kept = isEmpty(draft) ? undefined : draft;
    this.#change(id, kept);
    const key = this.#keyOf(id);
    try {
      await this.#storage.write([kept ? { key, value: kept } : { key }]);
      this.#channel?.postMessage(id);
    } catch {
      // Without storage the draft lasts as long as the page; the client reports full storage itself.
    }
  }

  /** Ends the exchange with other tabs. */
  close(): void {
    this.#channel?.close();
  }

  subscribe(run: (drafts: DraftMap) => void): () => void {
    const subscriber = (drafts: DraftMap): void => run(drafts);
    this.#subscribers.add(subscriber);
    run(this.#drafts);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Another tab has stored or removed a draft. One that has changed here since is newer. */
  async #read(id: ConversationId): Promise<void> {
    const change = this.#count(id);
    try {
      const stored = await this.#storage.get(this.#keyOf(id));
      if (this.#changes.get(id) !== change) return;
      this.#change(id, isDraft(stored) ? stored : undefined);
    } catch {
      // This tab goes on with what it has.
    }
  }

  #count(id: ConversationId): number {
    const count = (this.#changes.get(id) ?? 0) + 1;
    this.#changes.set(id, count);
    return count;
  }

  #change(id: ConversationId, draft: Draft | undefined): void {
    this.#count(id);
    const next = new Map(this.#drafts);
    if (draft) next.set(id, draft);
    else next.delete(id);
    this.#set(next);
  }

  #keyOf(id: ConversationId): string {
    return `${this.#prefix}${id}`;
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
    (value.replyTo === null || typeof value.replyTo === "number") &&
    (!("edit" in value) || isEdit(value.edit))
  );
}

/** The message is as the SDK has given it; only this module writes it. */
function isEdit(value: unknown): value is Draft["edit"] {
  return (
    typeof value === "object" &&
    value !== null &&
    "message" in value &&
    typeof value.message === "object" &&
    value.message !== null &&
    "text" in value &&
    typeof value.text === "string"
  );
}
