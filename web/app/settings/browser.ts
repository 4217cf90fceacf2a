// The settings as this browser has them stored, and the colours they ask for: what every page of the site uses.
import { parseSettings, type Settings } from "./settings.ts";

export const SETTINGS_KEY = "colloquy.settings";

/** Without storage, as in some private windows, all settings have their defaults. */
export function storedSettings(): Settings {
  try {
    return parseSettings(localStorage.getItem(SETTINGS_KEY));
  } catch {
    return parseSettings(null);
  }
}

export function showScheme(scheme: Settings["scheme"]): void {
  if (scheme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = scheme;
}
