// What the suites of the chat pane share: people with a page in a conversation, and the parts of the pane.
import type { Browser, Locator, Page, WebSocketRoute } from "playwright-core";
import WebSocket from "ws";

import { logIn, openPage, SERVER, type Account, type Watched } from "./harness.ts";

export interface Chatting extends Watched {
  /** Row of a message by a part of its text. */
  row(text: string): Locator;
  readonly composer: Locator;
  readonly timeline: Locator;
  write(text: string): Promise<void>;
  /** How far an own message has come, as its sign says; `null` without a sign. */
  state(text: string): Promise<string | null>;
  /** The texts of the stored messages, from the first to the last. */
  texts(): Promise<string[]>;
}

/** Opens a conversation in a browser of its own. */
export async function openChat(
  browser: Browser,
  account: Account,
  conversationId: number,
  options: Parameters<typeof openPage>[1] = {},
): Promise<Chatting> {
  return enterChat(await openPage(browser, options), account, conversationId);
}

/** Logs in on a page that is open already, and opens a conversation. */
export async function enterChat(
  watched: Watched,
  account: Account,
  conversationId: number,
): Promise<Chatting> {
  await logIn(watched.page, account.username, `#/c/${conversationId}`);
  await ready(watched.page);
  return chatting(watched);
}

/** What happens to a message on its way to the server. */
export type Fate = "pass" | "refuse" | "lose" | "lose answer";

/** A page whose socket treats messages as `fate` says when they are sent. */
export async function openBetween(
  browser: Browser,
  fate: { current: Fate },
  options: Parameters<typeof openPage>[1] = {},
): Promise<Watched> {
  const watched = await openPage(browser, { viewport: { width: 1280, height: 800 }, ...options });
  await watched.page.routeWebSocket("**/ws/chat/**", (socket) => {
    const line = socket.connectToServer();
    socket.onMessage((frame) => {
      const clientId = /"client_message_id":"([^"]+)"/.exec(String(frame))?.[1];
      if (clientId === undefined || !/^(refuse|lose)$/.test(fate.current)) line.send(frame);
      else if (fate.current === "refuse") refuse(socket, clientId);
    });
    line.onMessage((frame) => {
      const lost = fate.current === "lose answer" && /"type":"(ack|message)"/.test(String(frame));
      if (!lost) socket.send(frame);
    });
  });
  return watched;
}

function refuse(socket: WebSocketRoute, clientId: string): void {
  const error = { type: "error", error: "No.", code: "invalid", retryable: false };
  socket.send(JSON.stringify({ ...error, client_message_id: clientId }));
}

export function chatting(watched: Watched): Chatting {
  const { page } = watched;
  const composer = page.getByRole("textbox", { name: /^Message to/ });
  const row = (text: string) => page.locator("li[data-key]").filter({ hasText: text }).last();
  return {
    ...watched,
    composer,
    timeline: page.locator(".scroller"),
    row,
    state: (text) => row(text).locator(".state").getAttribute("title"),
    async texts() {
      const bubbles = await page.locator("li[data-number] .bubble").allTextContents();
      return bubbles.map((text) => text.trim());
    },
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
  const run = crypto.randomUUID();
  await new Promise<void>((resolve, reject) => {
    let acknowledged = 0;
    let sent = 0;
    const more = () => {
      const frame = texts.slice(sent, sent + FRAME).map((message, at) => ({
        type: "send",
        client_message_id: `${run}-${sent + at}`,
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
