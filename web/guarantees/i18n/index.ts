// The language of the page.
import { I18n } from "../../ui/i18n/i18n.svelte.ts";
import { en, type Messages } from "./en.ts";

export const i18n = new I18n<Messages>({
  english: en,
  load: {
    de: () => import("./de.ts").then(({ de }) => de),
    "ar-XB": () =>
      import("../../ui/i18n/pseudo.ts").then(({ pseudoCatalogue }) => pseudoCatalogue(en)),
  },
});
