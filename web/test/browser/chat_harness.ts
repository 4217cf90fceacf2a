// What the suites of the chat pane share: people with a page in a conversation, and the parts of the pane.
import type { Browser, Locator, Page } from "playwright-core";
import WebSocket from "ws";

import { logIn, openPage, SERVER, type Account, type Watched } from "./harness.ts";

export interface Chatting extends Watched {
  /** Row of a message by a part of its text. */
  row(text: string): Locator;
  readonly composer: Locator;
  readonly timeline: Locator;
  write(text: string): Promise<void>;
}

/** Opens a conversation in a browser of its own. */
export async function openChat(
  browser: Browser,
  account: Account,
  conversationId: number,
  options: Parameters<typeof openPage>[1] = {},
): Promise<Chatting> {
  const watched = await openPage(browser, options);
  await logIn(watched.page, account.username, `#/c/${conversationId}`);
  await ready(watched.page);
  return chatting(watched);
}

export function chatting(watched: Watched): Chatting {
  const { page } = watched;
  const composer = page.getByRole("textbox", { name: /^Message to/ });
  return {
    ...watched,
    composer,
    timeline: page.locator(".scroller"),
    row: (text) => page.locator("li[data-key]").filter({ hasText: text }).last(),
    async write(text) {
      await composer.fill(text);
      await composer.press("Enter");
    },
  };
}

/** The pane has its messages, or says that there are none. */
export const ready = (page: Page): Promise<void> =>
  page.locator('.timeline[aria-busy="false"]').waitFor();

const FRAME = 20;

/** Sends many messages as fast as one socket takes them. Needs a server without a throttle. */
export async function seed(
  account: Account,
  conversationId: number,
  texts: readonly string[],
): Promise<void> {
  const url = `${SERVER.replace(/^http/, "ws")}/ws/chat/${conversationId}/`;
  const socket = new WebSocket(url, ["chat.v2", `bearer.${account.access}`]);
  await new Promise<void>((resolve, reject) => {
    let acknowledged = 0;
    let sent = 0;
    const more = () => {
      const frame = texts.slice(sent, sent + FRAME).map((message, at) => ({
        type: "send",
        client_message_id: `seed-${sent + at}`,
        message,
      }));
      sent += frame.length;
      if (frame.length > 0) socket.send(JSON.stringify(frame));
    };
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as { type: string; code?: string };
      if (frame.type === "hello") more();
      if (frame.type === "error") reject(new Error(`seeding failed: ${frame.code}`));
      if (frame.type !== "ack") return;
      acknowledged++;
      if (acknowledged === texts.length) resolve();
      else if (acknowledged === sent) more();
    });
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`seeding ended with ${code}`)));
  });
  socket.removeAllListeners();
  socket.close();
}
