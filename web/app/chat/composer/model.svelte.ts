// What the composer holds and does: its text, the draft, sending, and saving an edit. No elements.
import { untrack } from "svelte";

import { i18n } from "../../i18n/index.ts";
import type { ChatState, Mode } from "../chat.svelte.ts";
import { DraftKeeper } from "./draft.ts";
import { isVisible, measure } from "./length.ts";
import { mentionedIn } from "./mentions.ts";

export class ComposerModel {
  text = $state("");
  saving = $state(false);
  /** Why the last edit could not be saved. */
  error = $state<string | null>(null);

  readonly #draft: DraftKeeper;
  /** The text that was being written when an edit began. */
  #setAside = "";
  #mode: Mode = { name: "write" };

  constructor(
    private readonly chat: ChatState,
    private readonly limit: () => number | null,
  ) {
    this.#draft = new DraftKeeper(chat.drafts, chat.conversation.id);
    this.#restore();
  }

  readonly length = $derived.by(() => measure(this.text.trim(), this.limit()));

  get ready(): boolean {
    return isVisible(this.text) && !this.length.tooLong && !this.saving;
  }

  /** The text was changed by the person. */
  edited(): void {
    this.error = null;
    if (this.chat.mode.name !== "edit") this.#keep();
  }

  /** Drafts that were read from storage after the pane was opened. */
  restoreLate(): void {
    if (untrack(() => this.text) === "" && this.chat.mode.name === "write") this.#restore();
  }

  /** The mode changed: an edit has a text of its own, a reply is part of the draft. */
  modeChanged(mode: Mode): void {
    const before = this.#mode;
    if (before === mode) return;
    this.#mode = mode;
    this.error = null;
    if (mode.name === "edit") {
      if (before.name !== "edit") this.#setAside = this.text;
      this.text = mode.message.content;
      return;
    }
    if (before.name === "edit") this.text = this.#setAside;
    this.#keep();
  }

  /** Sends the message or saves the edit. Returns whether a message was sent. */
  async submit(): Promise<boolean> {
    if (!this.ready) return false;
    const { mode } = this.chat;
    if (mode.name === "edit") {
      await this.#save(mode);
      return false;
    }
    this.#send(mode);
    return true;
  }

  leave(): void {
    this.#draft.flush();
  }

  #send(mode: Mode): void {
    const text = this.text.trim();
    const mentions = mentionedIn(text, this.chat.people);
    this.chat.conversation.send({
      text,
      ...(mode.name === "reply" ? { replyTo: mode.to } : {}),
      ...(mentions.length > 0 ? { mentions } : {}),
    });
    this.text = "";
    this.#mode = { name: "write" };
    this.chat.cancel();
    this.#draft.clear();
  }

  async #save(mode: Extract<Mode, { name: "edit" }>): Promise<void> {
    const text = this.text.trim();
    if (text !== mode.message.content) {
      this.saving = true;
      const result = await this.chat.conversation.edit(mode.message.id, text);
      this.saving = false;
      if (!result.ok) {
        this.error = i18n.t.chat.composer.editFailed;
        return;
      }
    }
    if (this.chat.mode === mode) this.chat.cancel();
  }

  #keep(): void {
    const { mode } = this.chat;
    this.#draft.keep({ text: this.text, replyTo: mode.name === "reply" ? mode.to : null });
  }

  #restore(): void {
    const draft = this.#draft.stored;
    if (!draft) return;
    this.text = draft.text;
    if (draft.replyTo !== null) {
      this.#mode = { name: "reply", to: draft.replyTo };
      this.chat.mode = this.#mode;
    }
  }
}
