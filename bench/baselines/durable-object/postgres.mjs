// A reference implementation: a Durable Object that stores its messages in PostgreSQL, with `pg` and
// the Hyperdrive binding. Each message is one prepared insert before it is broadcast.
//
// An object has one connection, which keeps the inserts in order. It is opened for the first message
// and closed when the last socket closes.
//
// With Colloquy's statement of a single send (APPEND) it runs that in place of the insert. PostgreSQL
// then does the same work for a message as it does for Colloquy, and only the runtime's part differs.

import { DurableObject } from "cloudflare:workers";
import pg from "pg";
import { CloudflareSocket } from "pg-cloudflare";

export { default } from "./worker.mjs";

const INSERT = `
  insert into messages (conversation_id, sender_id, content) values ($1, $2, $3)
  returning id::int as id, created_at
`;

// Creates a conversation and its one sender, with the same id and a valid session.
const CONVERSATION = `
  with users as (
    insert into users (id, username, username_key, email, email_key, password_hash, first_name,
      last_name, created_at)
    select $1, name, name, name, name, '!', '', '', now() from concat('user-', $1::bigint) as name
    on conflict do nothing
  ),
  sessions as (
    insert into sessions (id, user_id, created_at, expires_at)
    select concat('session-', $1::bigint), $1, now(), now() + interval '1 year'
    on conflict do nothing
  ),
  conversations as (
    insert into conversations (id, kind, name, active_at, created_by, created_at)
    select $1, 'group', 'bench', now(), $1, now()
    on conflict do nothing
  )
  insert into members (conversation_id, user_id, joined_at)
  select $1, $1, now()
  on conflict do nothing
`;

// A query is several packets, which `pg` corks into one write. Its stream for Workers does not
// implement corking, so each query would wait 40 ms for TCP to acknowledge the first packet.
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

  connect(conversation_id) {
    this.connected ??= (async () => {
      const { connectionString } = this.env.HYPERDRIVE;
      const client = new pg.Client({ connectionString, stream: () => new Stream() });
      client.on("error", () => (this.connected = undefined));
      await client.connect();
      if (this.env.APPEND) await client.query({ text: CONVERSATION, values: [conversation_id] });
      return client;
    })();
    return this.connected;
  }

  async insert(client, conversation_id, sender_id, message) {
    const values = [conversation_id, sender_id, message];
    const { rows } = await client.query({ name: "insert", text: INSERT, values });
    return { message_id: rows[0].id, timestamp: rows[0].created_at };
  }

  async append(client, conversation_id, message) {
    const user = conversation_id;
    const sent = [message, crypto.randomUUID(), null, null];
    const { rows } = await client.query({
      name: "append",
      text: this.env.APPEND,
      rowMode: "array",
      values: [conversation_id, user, `session-${user}`, Date.now(), ...sent],
    });
    const [message_id, , , timestamp] = JSON.parse(rows[0][0]).stored;
    return { message_id, timestamp: new Date(timestamp) };
  }

  async webSocketMessage(socket, text) {
    const { message } = JSON.parse(text);
    const { conversation_id, sender_id, sender } = socket.deserializeAttachment();
    try {
      const client = await this.connect(conversation_id);
      const { message_id, timestamp } = await (this.env.APPEND
        ? this.append(client, conversation_id, message)
        : this.insert(client, conversation_id, sender_id, message));
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
