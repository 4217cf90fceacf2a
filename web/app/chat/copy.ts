// Copies a text and says whether that worked.
import { copyText } from "../../ui/clipboard.ts";
import { toasts } from "../../ui/toasts.svelte.ts";
import { i18n } from "../i18n/index.ts";

export async function copyAndTell(text: string, done: string): Promise<void> {
  toasts.show((await copyText(text)) ? done : i18n.t.common.copyFailed);
}
