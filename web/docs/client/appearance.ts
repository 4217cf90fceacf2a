// The colours that the reader has chosen in the client, which shares its settings with this page.
import { parseSettings } from "../../app/settings/settings.ts";

const KEY = "colloquy.settings";

export function followAppearance(): void {
  show(read());
  addEventListener("storage", ({ key, newValue }) => {
    if (key === KEY) show(newValue);
  });
}

function show(stored: string | null): void {
  const { scheme } = parseSettings(stored);
  if (scheme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = scheme;
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
