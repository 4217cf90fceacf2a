// The language of the client. A page without a login reads `i18n.entry`, the others `i18n.t`, and all of them
// `i18n.format`.
import { I18n, type Catalogues } from "../../ui/i18n/i18n.svelte.ts";
import type { Messages } from "./en.ts";
import { enEntry, type EntryMessages } from "./en.entry.ts";

const loadPseudo = () => import("../../ui/i18n/pseudo.ts");

export const i18n = new I18n<EntryMessages, Messages>({
  english: enEntry,
  load: {
    de: () => import("./de.entry.ts").then(({ deEntry }) => deEntry),
    "ar-XB": () => loadPseudo().then(({ pseudoCatalogue }) => pseudoCatalogue(enEntry)),
  },
});

/** Loads the texts of the pages with a login. */
export async function completeTexts(): Promise<void> {
  const { en } = await import("./en.ts");
  const full: Catalogues<Messages> = {
    english: en,
    load: {
      de: () => import("./de.ts").then(({ de }) => de),
      "ar-XB": () => loadPseudo().then(({ pseudoCatalogue }) => pseudoCatalogue(en)),
    },
  };
  await i18n.complete(full);
}
