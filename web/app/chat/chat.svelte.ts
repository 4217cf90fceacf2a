// The state that the parts of a chat pane share: who is in the conversation, which message is answered or
// edited, and what can be done with a message. One per open conversation.
import type { Client, Conversation, Message, MessageId, User, UserId } from "@colloquy/sdk";
import { createContext } from "svelte";
import { fromStore } from "svelte/store";

import type { Drafts } from "../session/drafts.ts";
import { displayName } from "../people/names.ts";
import type { Person } from "./composer/mentions.ts";
import type { Mentioned } from "./text/nodes.ts";
import { TimelineController } from "./timeline/controller.svelte.ts";
import type { MessageItem } from "./timeline/items.ts";

/** What the composer does with its text. */
export type Mode =
  | { readonly name: "write" }
  | { readonly name: "reply"; readonly to: MessageId }
  | { readonly name: "edit"; readonly message: Message };

/** What other parts ask of the composer. */
export interface ComposerHandle {
  focus(): void;
  /** Puts text where the caret is. */
  insert(text: string): void;
}

export class ChatState {
  readonly conversation: Conversation;
  readonly timeline: TimelineController;
  mode = $state.raw<Mode>({ name: "write" });
  /** The message that is about to be deleted, while the dialog asks. */
  removing = $state.raw<Message | null>(null);
  composer: ComposerHandle | null = null;

  readonly #summary;
  readonly #members;

  constructor(
    readonly client: Client,
    readonly user: User,
    readonly drafts: Drafts,
    conversationId: number,
  ) {
    this.conversation = client.conversation(conversationId);
    this.timeline = new TimelineController(this.conversation, user);
    this.#summary = fromStore(this.conversation.summary);
    this.#members = fromStore(this.conversation.members.list);
  }

  get summary() {
    return this.#summary.current;
  }

  /** Members as far as they are loaded, by id, without the reader. */
  readonly people: readonly Person[] = $derived.by(() => {
    const known = new Map<UserId, Person>();
    for (const person of [...(this.summary?.participants ?? []), ...this.#members.current]) {
      const { id, username } = person;
      if (id !== this.user.id) known.set(id, { id, username, name: displayName(person) });
    }
    return [...known.values()].sort((a, b) => a.id - b.id);
  });

  readonly #byId = $derived(new Map(this.people.map((person) => [person.id, person])));

  /** How a person is called; `username` if the person is no member (any more). */
  nameOf(userId: UserId, username: string): string {
    if (userId === this.user.id) return displayName(this.user);
    return this.#byId.get(userId)?.name ?? username;
  }

  /** The members that a message mentions, by the name in its text. */
  mentioned(ids: readonly UserId[]): Mentioned[] {
    return ids.flatMap((userId) => {
      const name = userId === this.user.id ? this.user.username : this.#byId.get(userId)?.username;
      return name === undefined ? [] : [{ userId, name }];
    });
  }

  reply(item: MessageItem): void {
    if (!canReply(item)) return;
    this.mode = { name: "reply", to: item.message.id };
    this.composer?.focus();
  }

  edit(item: MessageItem): void {
    if (!canChange(item)) return;
    this.mode = { name: "edit", message: item.message };
    this.composer?.focus();
  }

  remove(item: MessageItem): void {
    if (canChange(item)) this.removing = item.message;
  }

  /** Ends replying or editing. Returns whether there was something to end. */
  cancel(): boolean {
    if (this.mode.name === "write") return false;
    this.mode = { name: "write" };
    return true;
  }
}

/** A message that the server has and that was not deleted. */
type StoredItem = MessageItem & { readonly message: Message };

export const canReply = (item: MessageItem): item is StoredItem =>
  item.message !== null && item.text !== "";

export const canChange = (item: MessageItem): item is StoredItem => canReply(item) && item.own;

export const [useChat, provideChat] = createContext<ChatState>();
