// The same room with its messages in PostgreSQL, as one writes it for Cloudflare: `pg` through the
// Hyperdrive binding, each message one prepared insert before anyone is shown it.
//
// An object has one connection, on which inserts follow each other: that keeps their order. It is
// opened for the first message and closed when nobody is left.

import { DurableObject } from "cloudflare:workers";
import pg from "pg";
import { CloudflareSocket } from "pg-cloudflare";

export { default } from "./worker.mjs";

// A query is several packets. `pg` asks its stream to send them at once, which its stream for
// Workers does not know how to: each query would then wait 40 ms for TCP to acknowledge the first.
class Stream extends CloudflareSocket {
  cork() {
    this.held = [];
  }

  uncork() {
    const { held } = this;
    this.held = undefined;
    super.write(Buffer.concat(held));
  }

  write(data, ...rest) {
    return this.held ? this.held.push(data) : super.write(data, ...rest);
  }
}

export class Room extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.env = env;
    this.connected = undefined;
  }

  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    const conversation_id = Number(new URL(request.url).pathname.split("/")[3]);
    server.serializeAttachment({ conversation_id, sender_id: 1, sender: "bench" });
    return new Response(null, { status: 101, webSocket: client });
  }

  connect() {
    this.connected ??= (async () => {
      const { connectionString } = this.env.HYPERDRIVE;
      const client = new pg.Client({ connectionString, stream: () => new Stream() });
      client.on("error", () => (this.connected = undefined));
      await client.connect();
      return client;
    })();
    return this.connected;
  }

  async webSocketMessage(socket, text) {
    const { message } = JSON.parse(text);
    const { conversation_id, sender_id, sender } = socket.deserializeAttachment();
    try {
      const client = await this.connect();
      const { rows } = await client.query({
        name: "send",
        text: `insert into messages (conversation_id, sender_id, content) values ($1, $2, $3)
               returning id::int as id, created_at`,
        values: [conversation_id, sender_id, message],
      });
      const { id: message_id, created_at: timestamp } = rows[0];
      const frame = JSON.stringify({ message_id, message, sender_id, sender, timestamp });
      for (const member of this.ctx.getWebSockets()) member.send(frame);
    } catch (error) {
      console.error(error);
      this.connected = undefined;
      socket.close(1011);
    }
  }

  async webSocketClose(socket) {
    if (this.ctx.getWebSockets().some((other) => other !== socket) || !this.connected) return;
    const { connected } = this;
    this.connected = undefined;
    await (await connected).end();
  }
}
