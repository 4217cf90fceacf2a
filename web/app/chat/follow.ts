// Announces to a screen reader messages of others in the open conversation, while its window has the focus.
import type { Announcements } from "./announcements.ts";
import type { ChatState } from "./chat.svelte.ts";
import { excerpt } from "./text/plain.ts";

/** Returns the way out. */
export function followMessages(chat: ChatState, announcements: Announcements): () => void {
  const end = chat.client.on("event", ({ conversationId, event, live }) => {
    if (conversationId !== chat.conversation.id || !live || event.type !== "message") return;
    if (event.sender_id === chat.user.id || event.message === "" || !document.hasFocus()) return;
    const sender = chat.nameOf(event.sender_id, event.sender);
    announcements.add({ sender, text: excerpt(event.message) });
  });
  return () => {
    end();
    announcements.stop();
  };
}
