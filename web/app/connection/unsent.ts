// What the outbox holds, counted by conversation.
import type { ConversationId, Outbox, Outgoing, Readable } from "@colloquy/sdk";

export interface Unsent {
  readonly waiting: number;
  readonly failed: number;
}

export interface UnsentCounts {
  readonly all: Unsent;
  readonly of: ReadonlyMap<ConversationId, Unsent>;
}

const NONE: Unsent = { waiting: 0, failed: 0 };
export const NOTHING_UNSENT: UnsentCounts = { all: NONE, of: new Map() };

const plus = (counts: Unsent, failed: boolean): Unsent => ({
  waiting: counts.waiting + (failed ? 0 : 1),
  failed: counts.failed + (failed ? 1 : 0),
});

export function countUnsent(items: readonly Outgoing[]): UnsentCounts {
  const of = new Map<ConversationId, Unsent>();
  let all = NONE;
  for (const { conversationId, status } of items) {
    if (status.get() === "sent") continue;
    const failed = status.get() === "failed";
    of.set(conversationId, plus(of.get(conversationId) ?? NONE, failed));
    all = plus(all, failed);
  }
  return { all, of };
}

/** The counts, as a value that changes with the outbox and with the status of each item in it. */
export function unsentCounts(outbox: Outbox): Pick<Readable<UnsentCounts>, "subscribe"> {
  return {
    subscribe(run) {
      let ends: (() => void)[] = [];
      const endItems = () => ends.forEach((end) => end());
      const endList = outbox.items.subscribe((items) => {
        endItems();
        let complete = false;
        const report = () => complete && run(countUnsent(items));
        ends = items.map(({ status }) => status.subscribe(report));
        complete = true;
        report();
      });
      return () => {
        endList();
        endItems();
      };
    },
  };
}
