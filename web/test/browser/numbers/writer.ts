// Another person who writes messages at a fixed rate while a page is measured.
import { once } from "node:events";

import WebSocket from "ws";

import { SERVER, type Account } from "../harness.ts";

/** Sends `perSecond` messages a second until the returned function is called. */
export async function write(
  account: Account,
  conversationId: number,
  perSecond: number,
): Promise<() => void> {
  const url = `${SERVER.replace(/^http/, "ws")}/ws/chat/${conversationId}/`;
  const socket = new WebSocket(url, ["chat.v2", `bearer.${account.access}`]);
  await once(socket, "open");
  let count = 0;
  const timer = setInterval(() => {
    const message = `A message that arrives while someone types, ${++count}`;
    socket.send(JSON.stringify({ type: "send", client_message_id: crypto.randomUUID(), message }));
  }, 1000 / perSecond);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}
