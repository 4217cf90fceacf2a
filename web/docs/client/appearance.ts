// The colours that the reader has chosen in the client, which shares its settings with this page.
import { SETTINGS_KEY, showScheme, storedSettings } from "../../app/settings/browser.ts";

export function followAppearance(): void {
  showScheme(storedSettings().scheme);
  addEventListener("storage", ({ key }) => {
    if (key === SETTINGS_KEY) showScheme(storedSettings().scheme);
  });
}
