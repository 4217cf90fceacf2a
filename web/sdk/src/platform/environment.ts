/** The state of the page: network, visibility, and returning from sleep or the page cache. */
import type { Environment, EnvironmentEvent } from "./ports.js";

/** The environment of a browser page; `null` where there is no document. */
export function pageEnvironment(): Environment | null {
  if (typeof document === "undefined" || typeof window === "undefined") return null;
  return {
    // `onLine` is wrong in both directions on some systems. It only decides what is shown and
    // when the next attempt is made, never whether a line is believed.
    online: () => navigator.onLine !== false,
    visible: () => document.visibilityState === "visible",
    listen(run) {
      const stops = [
        on(window, "online", () => run("online")),
        on(window, "offline", () => run("offline")),
        on(window, "pageshow", () => run("resumed")),
        on(document, "resume", () => run("resumed")),
        on(document, "visibilitychange", () => run(visibility())),
      ];
      return () => stops.forEach((stop) => stop());
    },
  };
}

const visibility = (): EnvironmentEvent =>
  document.visibilityState === "visible" ? "visible" : "hidden";

function on(target: EventTarget, type: string, run: () => void): () => void {
  target.addEventListener(type, run);
  return () => target.removeEventListener(type, run);
}
