/**
 * Five ways in which clients of this kind are wrong, as changes of the sources. The property must
 * find each. A change is applied while a file is loaded: the package has no switches for it.
 */
export interface Mutation {
  name: string;
  file: string;
  from: string;
  to: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "a new id at each retry",
    file: "src/outbox/lane_host.ts",
    from: `client_message_id: item.id, message`,
    to: `client_message_id: (item.id += "x"), message`,
  },
  {
    name: "removing an item before its ack",
    file: "src/outbox/lane_host.ts",
    from: `    this.peer.transmit(items.filter((item) => item.status === "sending").map(toSend));`,
    to: `    this.peer.transmit(items.filter((item) => item.status === "sending").map(toSend));
    for (const { id } of items) {
      const outgoing = this.outgoing.get(id);
      this.outgoing.delete(id);
      if (outgoing?.key) void this.deps.store()?.write([{ key: outgoing.key }]);
      this.input({ on: "stored", id });
    }`,
  },
  {
    name: "believing readyState",
    file: "src/connection/stream.ts",
    from: `    else this.#input({ on: "timer", name, lateMs });`,
    to: `    else if (name !== "pong" || this.#socket?.readyState !== 1) {
      this.#input({ on: "timer", name, lateMs });
    }`,
  },
  {
    name: "resetting the backoff when a socket opens",
    file: "src/connection/line.ts",
    from: `    this.state = { name: "open" };`,
    to: `    this.state = { name: "open" };
    this.attempt = 0;`,
  },
  {
    name: "applying lower versions",
    file: "src/timeline/log.ts",
    from: `    if (known && known.version >= message.version) return false;`,
    to: ``,
  },
];
