// What the composer holds and does: its text, the draft, sending, and saving an edit. No elements.
import type { ChatError, MessageId } from "@colloquy/sdk";
import { untrack } from "svelte";

import { toasts } from "../../../ui/toasts.svelte.ts";
import { errorText } from "../../errors/texts.ts";
import { i18n } from "../../i18n/index.ts";
import type { Draft } from "../../session/drafts.ts";
import type { ChatState, Mode } from "../chat.svelte.ts";
import { DraftKeeper } from "./draft.ts";
import { isVisible, measure } from "./length.ts";
import { mentionedIn } from "./mentions.ts";

const NOTHING: Draft = { text: "", replyTo: null };

export class ComposerModel {
  text = $state("");
  /** Why the last edit could not be saved. */
  error = $state<string | null>(null);

  readonly #draft: DraftKeeper;
  /** What was being written when an edit began. */
  #setAside: Pick<Draft, "text" | "replyTo"> = NOTHING;
  #mode: Mode;
  /** The edit that is being saved. */
  #saving = $state.raw<Mode | null>(null);

  constructor(
    private readonly chat: ChatState,
    private readonly limit: () => number | null,
  ) {
    this.#draft = new DraftKeeper(chat.drafts, chat.conversation.id);
    // The mode a pane opens with is no change: it must not store an empty draft before the stored one is read.
    this.#mode = untrack(() => chat.mode);
    this.#restore();
  }

  readonly length = $derived.by(() => measure(this.text.trim(), this.limit()));

  get ready(): boolean {
    return isVisible(this.text) && !this.length.tooLong && this.#saving !== this.chat.mode;
  }

  /** The text was changed by the person. */
  edited(): void {
    this.error = null;
    this.#keep();
  }

  /** A draft was read late, or changed in another tab. What was typed here since then is newer. */
  draftChanged(): void {
    const mode = untrack(() => this.chat.mode);
    if (this.#draft.pending || mode !== this.#mode) return;
    const draft = this.#draft.stored ?? NOTHING;
    // An edit that has changed nothing is not stored, and goes on.
    const unchanged = mode.name === "edit" && mode.message.content === untrack(() => this.text);
    if (unchanged && !draft.edit) this.#setAside = draft;
    else this.#show(draft);
  }

  /** The mode changed: an edit has a text of its own, a reply is part of the draft. */
  modeChanged(mode: Mode): void {
    const before = this.#mode;
    if (before === mode) return;
    this.#mode = mode;
    this.error = null;
    if (mode.name === "edit") {
      if (before.name !== "edit") this.#setAside = { text: this.text, replyTo: answered(before) };
      this.text = mode.message.content;
      // The draft is as it was, unless it has the edit of another message.
      if (before.name !== "edit") return;
    } else if (before.name === "edit") this.#resume(mode);
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
    this.chat.cancel();
    this.#mode = this.chat.mode;
    this.#draft.clear();
  }

  async #save(mode: Extract<Mode, { name: "edit" }>): Promise<void> {
    const { message } = mode;
    const text = this.text.trim();
    if (text === message.content) return this.#endEdit();
    this.#saving = mode;
    const result = await this.chat.conversation.edit(message.id, text);
    if (this.#saving === mode) this.#saving = null;
    if (!result.ok) return this.#refused(mode, result.error);
    if (this.chat.mode !== mode) return;
    if (this.text.trim() === text) return this.#endEdit();
    // What was typed in the meantime is a further edit.
    this.#enter({ name: "edit", message: { ...message, content: text } });
    this.#keep();
  }

  /** At once: when an edit is saved, the pane may be gone, and its draft must not return. */
  #endEdit(): void {
    this.chat.cancel();
    this.modeChanged(this.chat.mode);
    this.#draft.flush();
  }

  #refused(mode: Mode, error: ChatError): void {
    const sentence = `${i18n.t.chat.composer.editFailed} ${errorText(error, i18n.t)}`;
    if (this.chat.mode === mode) this.error = sentence;
    else toasts.show(sentence);
  }

  /** Goes on with what an edit has interrupted. */
  #resume(mode: Mode): void {
    const { text, replyTo } = this.#setAside;
    this.#setAside = NOTHING;
    this.text = text;
    if (mode.name === "write" && replyTo !== null) this.#enter(modeFor(replyTo));
  }

  /** Changes the mode and keeps the text. */
  #enter(mode: Mode): void {
    this.#mode = mode;
    this.chat.mode = mode;
  }

  #keep(): void {
    const { mode } = this.chat;
    if (mode.name !== "edit") {
      this.#draft.keep({ text: this.text, replyTo: answered(mode) });
      return;
    }
    const { message } = mode;
    const changed = this.text !== message.content;
    const { text, replyTo } = this.#setAside;
    this.#draft.keep({ text, replyTo, ...(changed && { edit: { message, text: this.text } }) });
  }

  #restore(): void {
    const draft = this.#draft.stored;
    if (draft) this.#show(draft);
  }

  #show({ edit, ...rest }: Draft): void {
    const mode = untrack(() => this.chat.mode);
    this.#setAside = edit ? rest : NOTHING;
    this.text = edit?.text ?? rest.text;
    if (edit) {
      // The same edit goes on, which may be on its way to the server.
      const same = mode.name === "edit" && mode.message.id === edit.message.id;
      if (!same) this.#enter({ name: "edit", message: edit.message });
    } else if (mode.name === "edit" || rest.replyTo !== answered(mode)) {
      this.#enter(modeFor(rest.replyTo));
    }
  }
}

const modeFor = (replyTo: MessageId | null): Mode =>
  replyTo === null ? { name: "write" } : { name: "reply", to: replyTo };

/** The message that is answered. */
const answered = (mode: Mode): MessageId | null => (mode.name === "reply" ? mode.to : null);
