/** Messages between tabs over a `BroadcastChannel`. */
import type { TabChannel } from "./ports.js";

/** `null` where the platform has no channels, as in some workers. */
export function tabChannel(name: string): TabChannel | null {
  if (typeof BroadcastChannel === "undefined") return null;
  const channel = new BroadcastChannel(name);
  // In Node an open channel would keep the process alive.
  (channel as { unref?: () => void }).unref?.();
  return {
    post: (message) => channel.postMessage(message),
    listen(run) {
      const listener = (event: MessageEvent): void => run(String(event.data));
      channel.addEventListener("message", listener);
      return () => channel.removeEventListener("message", listener);
    },
  };
}
