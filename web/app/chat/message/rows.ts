// What the row of a message asks of its timeline, and the menu of a message: one popup for all rows, opened
// beside the pointer, a button or a row.
import { createContext } from "svelte";

import type { MenuItem } from "../../../ui/MenuPopup.svelte";
import type { Messages } from "../../i18n/en.ts";
import { canChange, canReply, type ChatState } from "../chat.svelte.ts";
import { copyAndTell } from "../copy.ts";
import type { MessageItem } from "../timeline/items.ts";

export interface Rows {
  openMenu(item: MessageItem, at: DOMRect): void;
  /** Gives up a message that was not sent. The focus goes to the next row. */
  discard(item: MessageItem): void;
}

export const [useRows, provideRows] = createContext<Rows>();

export function menuItems(item: MessageItem, chat: ChatState, texts: Messages["chat"]): MenuItem[] {
  const t = texts.action;
  const items: MenuItem[] = [];
  if (canReply(item)) {
    items.push({ label: t.reply, icon: "reply", keys: "R", run: () => chat.reply(item) });
  }
  if (canChange(item)) {
    items.push({ label: t.edit, icon: "pencil", keys: "E", run: () => chat.edit(item) });
  }
  if (item.text !== "") {
    const run = () => void copyAndTell(item.text, texts.message.copied);
    items.push({ label: t.copy, icon: "copy", run });
  }
  if (canChange(item)) {
    const run = () => chat.remove(item);
    items.push({ label: t.remove, icon: "trash-2", danger: true, keys: "Del", run });
  }
  return items;
}
