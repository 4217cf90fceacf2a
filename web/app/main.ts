// Entry of the page at `/`.
import "../ui/tokens.css";
import "../ui/base.css";

import { mount } from "svelte";

import App from "./App.svelte";
import { serverConfig } from "./session/config.svelte.ts";
import { settings } from "./settings/store.svelte.ts";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no element with the id app");

// A deploy has replaced a file this page wants to load. The new page has it; drafts and unsent messages are
// stored. Only once: if the file is still missing, the page says so.
async function reloadOnce(): Promise<void> {
  const KEY = "colloquy.reloaded";
  if (sessionStorage.getItem(KEY)) return;
  // Without a server this page is the better one.
  const page = await fetch("/", { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (!page?.ok) return;
  sessionStorage.setItem(KEY, "1");
  location.reload();
}
addEventListener("vite:preloadError", () => void reloadOnce());

void serverConfig.load();

// The first thing a reader sees has their language and colours.
await settings.start();
mount(App, { target });
