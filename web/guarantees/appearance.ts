// The language and colours that were chosen in the client of this browser, or those of the system. The page
// changes neither.
import { showScheme, storedSettings } from "../app/settings/browser.ts";
import { preferredLocale } from "../ui/i18n/locales.ts";
import { i18n } from "./i18n/index.ts";

export async function useChosenAppearance(): Promise<void> {
  const { scheme, locale } = storedSettings();
  showScheme(scheme);
  const tag = locale === "system" ? preferredLocale(navigator.languages) : locale;
  // A language that cannot be loaded leaves the page in English.
  await i18n.use(tag).catch(() => undefined);
}
