// The settings of this browser, shared by its tabs. Without storage they last as long as the page.
import { preferredLocale } from "../../ui/i18n/locales.ts";
import { i18n } from "../i18n/index.ts";
import { SETTINGS_KEY, showScheme, storedSettings } from "./browser.ts";
import { parseSettings, type Settings } from "./settings.ts";

class SettingsStore {
  #current = $state.raw<Settings>(storedSettings());

  constructor() {
    addEventListener("storage", ({ key, newValue }) => {
      if (key === SETTINGS_KEY) this.#apply(parseSettings(newValue));
    });
  }

  get current(): Settings {
    return this.#current;
  }

  /** Resolves when the page has the language and the colours that are set. */
  async start(): Promise<void> {
    showScheme(this.#current.scheme);
    await useLocale(this.#current.locale);
  }

  /** Shows a change that is not final, such as a width that is being dragged. It is not stored. */
  preview(change: Partial<Settings>): void {
    this.#apply({ ...this.#current, ...change });
  }

  set(change: Partial<Settings>): void {
    this.preview(change);
    try {
      localStorage.setItem(SETTINGS_KEY, JSON.stringify(this.#current));
    } catch {
      // Storage is full or not allowed: the settings hold until the page is left.
    }
  }

  #apply(next: Settings): void {
    const before = this.#current;
    this.#current = next;
    if (next.scheme !== before.scheme) showScheme(next.scheme);
    if (next.locale !== before.locale) void useLocale(next.locale);
  }
}

async function useLocale(locale: Settings["locale"]): Promise<void> {
  const tag = locale === "system" ? preferredLocale(navigator.languages) : locale;
  try {
    await i18n.use(tag);
  } catch {
    // The language could not be loaded: the page stays in the one it has.
  }
}

export const settings = new SettingsStore();
