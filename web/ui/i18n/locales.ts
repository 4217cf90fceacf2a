// The languages of the pages, and which one a reader gets.
//
// To add one: its row in LOCALES, its catalogues (the compiler asks for them), nothing else.

export interface Locale {
  /** BCP 47. */
  readonly tag: string;
  /** Its own name in its own language. */
  readonly name: string;
  readonly dir: "ltr" | "rtl";
}

export const LOCALES = [
  { tag: "en", name: "English", dir: "ltr" },
  { tag: "de", name: "Deutsch", dir: "ltr" },
] as const satisfies readonly Locale[];

/** English in reverse, for tests of right-to-left pages. It is never offered. */
export const PSEUDO_LOCALE = { tag: "ar-XB", name: "Pseudo", dir: "rtl" } as const satisfies Locale;

export type LocaleTag = (typeof LOCALES)[number]["tag"] | typeof PSEUDO_LOCALE.tag;

export function localeOf(tag: LocaleTag): Locale {
  return [...LOCALES, PSEUDO_LOCALE].find((locale) => locale.tag === tag) ?? LOCALES[0];
}

export function isLocaleTag(value: unknown): value is LocaleTag {
  return [...LOCALES, PSEUDO_LOCALE].some(({ tag }) => tag === value);
}

/** The first of the reader's languages that there is; English otherwise. */
export function preferredLocale(languages: readonly string[]): LocaleTag {
  for (const language of languages) {
    const [base] = language.toLowerCase().split("-");
    const found = LOCALES.find(({ tag }) => tag === base);
    if (found) return found.tag;
  }
  return "en";
}

/** The reader's variant of a language, for dates and numbers: with `en-GB` a time is 14:05. */
export const regionalTag = (tag: LocaleTag, languages: readonly string[]): string =>
  languages.find((language) => language.toLowerCase().startsWith(`${tag}-`)) ?? tag;
