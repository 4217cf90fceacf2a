/** A network that reports every transmission of a message: the ids tell a repeat from a new one. */
import { WebSocket } from "ws";
import type { WebSocketFactory } from "../../src/index.js";

type Transmitted = (id: string) => void;

/** The socket of a platform, with an eye on what is sent. */
export function watchedSocket(transmitted: Transmitted): WebSocketFactory {
  return class extends WebSocket {
    override send(data: string): void {
      report(data, transmitted);
      super.send(data);
    }
  } as WebSocketFactory;
}

/** `fetch`, with an eye on messages sent over REST. */
export function watchedFetch(transmitted: Transmitted): typeof fetch {
  return (input, init) => {
    if (init?.method === "POST" && String(input).endsWith("/messages/")) {
      report(String(init.body), transmitted);
    }
    return fetch(input, init);
  };
}

/** One frame or body, or several frames in an array. */
function report(text: string, transmitted: Transmitted): void {
  for (const each of [JSON.parse(text) as unknown].flat() as { client_message_id?: string }[]) {
    if (each.client_message_id) transmitted(each.client_message_id);
  }
}
