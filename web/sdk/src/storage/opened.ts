/**
 * Which conversations have messages in storage: those that were opened last. One entry for each, so
 * that tabs that open conversations at the same time lose none.
 */
import type { UserStore } from "./user_store.js";

interface Opened {
  conversationId: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Notes that a conversation is opened, and removes the messages of those beyond the limit. */
export async function noteOpened(
  store: UserStore,
  conversationId: number,
  most: number,
): Promise<void> {
  const key = store.key("opened", conversationId);
  store.later([{ key, value: { conversationId, at: store.clock.now() } satisfies Opened }]);
  const others = (await store.list<Opened>("opened")).filter(([other]) => other !== key);
  others.sort(([, a], [, b]) => b.at - a.at);
  for (const [other, opened] of others.slice(most - 1)) {
    const messages = await store.list("message", opened.conversationId);
    store.later([{ key: other }, ...messages.map(([message]) => ({ key: message }))]);
  }
}
