/** A TCP proxy in front of the server, which cuts and silences lines. */
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** What a case may ask of it: `suite/stage_client.ts`. */
export interface Proxy {
  url: string;
  cut(): void;
  close(): void;
  open(): void;
  silence(): void;
  end(): void;
}

export async function proxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<[Socket, Socket]>();
  let closed = false;
  const server = createServer((client) => {
    if (closed) return void client.resetAndDestroy();
    const upstream = connect(Number(port), hostname);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    client.pipe(upstream);
    upstream.pipe(client);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        pair.forEach((each) => each.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => {
      closed = true;
      cut();
    },
    open: () => void (closed = false),
    silence: () => {
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream);
        upstream.unpipe(client);
        client.pause();
        upstream.pause();
      }
    },
    end: () => {
      cut();
      server.close();
    },
  };
}
