// A reference implementation in JavaScript: a Durable Object with the WebSocket hibernation API that
// stores each message in its own storage before it is broadcast. No accounts, no tokens.
//
// The write is not awaited: the output gate of the platform holds outgoing messages until it is
// durable. STORE = "none" disables storing.

import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.stores = env.STORE !== "none";
    this.number = 0;
    ctx.blockConcurrencyWhile(async () => {
      const newest = await ctx.storage.list({ prefix: "message:", reverse: true, limit: 1 });
      for (const message of newest.values()) this.number = message.message_id;
    });
  }

  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    server.serializeAttachment({ sender_id: 1, sender: "bench" });
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, text) {
    const { message } = JSON.parse(text);
    const { sender_id, sender } = socket.deserializeAttachment();
    this.number += 1;
    const stored = {
      message_id: this.number, message, sender_id, sender, timestamp: new Date().toISOString(),
    };
    if (this.stores) {
      this.ctx.storage.put(`message:${String(this.number).padStart(12, "0")}`, stored);
    }
    const frame = JSON.stringify(stored);
    for (const member of this.ctx.getWebSockets()) member.send(frame);
  }

  webSocketClose() {}
}

export default {
  fetch(request, env) {
    const room = /^\/ws\/chat\/(\d+)\/$/.exec(new URL(request.url).pathname)?.[1];
    if (room === undefined) return new Response("up");
    return env.ROOMS.get(env.ROOMS.idFromName(room)).fetch(request);
  },
};
