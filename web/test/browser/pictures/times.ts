// Gives a page the times of the script instead of those of the run, in everything that it receives.
import type { Page } from "playwright-core";

import { NOW, timeOf } from "./script.ts";

/** What the wire calls times of the past. */
const TIMES = new Set(["timestamp", "created_at", "joined_at"]);

/** `server` is where its requests really go: the tests do not share the addresses of the browser. */
export async function stopTime(page: Page, server: string): Promise<void> {
  await page.clock.install({ time: NOW });
  await page.route("**/api/chat/**", async (route) => {
    const { pathname, search } = new URL(route.request().url());
    const response = await route.fetch({ url: server + pathname + search });
    const text = await response.text();
    await route.fulfill({ response, body: rewritten(text) });
  });
  await page.routeWebSocket("**/ws/**", (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => socket.send(rewritten(String(frame))));
  });
}

function rewritten(text: string): string {
  if (!text.startsWith("{") && !text.startsWith("[")) return text;
  return JSON.stringify(walk(JSON.parse(text)));
}

function walk(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(walk);
  if (typeof value !== "object" || value === null) return value;
  const fields = value as Record<string, unknown>;
  // The text of a message is `content` in an answer and `message` in a frame.
  const text = fields["content"] ?? fields["message"];
  const last = fields["last_message"] as { content?: string } | null | undefined;
  return Object.fromEntries(
    Object.entries(fields).map(([key, field]) => {
      if (key === "active_at") return [key, timeOf(last?.content)];
      if (TIMES.has(key) && field !== null) return [key, timeOf(text)];
      return [key, walk(field)];
    }),
  );
}
