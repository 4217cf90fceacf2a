/**
 * The stage of a run: an HTTP server through which cases make proxies and end the server under
 * test, from whichever runtime they are in. Its client is `suite/stage_client.ts`.
 *
 * | request | effect |
 * | --- | --- |
 * | `POST /lines` | a proxy in front of the server; returns its `id` and `url` |
 * | `POST /lines/{id}/{action}` | `cut`, `close`, `open`, `silence` or `end` |
 * | `POST /server/{action}` | `kill` or `restart`, by the control server |
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { proxy, type Proxy } from "./proxy.js";

export interface Stage {
  url: string;
  end(): void;
}

/** The server under test, as the control server names it. */
const UNDER_TEST = "unthrottled";

const ACTIONS = ["cut", "close", "open", "silence", "end"] as const;

export async function stage(target: string, control: string | null): Promise<Stage> {
  const lines: Proxy[] = [];
  const respond = async (path: string): Promise<unknown> => {
    const [, kind, id, action] = path.split("/");
    if (kind === "server") return command(control, id ?? "");
    if (id === undefined) {
      const line = await proxy(target);
      return { id: lines.push(line) - 1, url: line.url };
    }
    const known = ACTIONS.find((name) => name === action);
    const line = lines[Number(id)];
    if (!known || !line) throw new Error(`there is no ${path}`);
    line[known]();
    return {};
  };
  const server = createServer((request, response) => {
    respond(request.url ?? "").then(
      (body) => answer(response, 200, JSON.stringify(body)),
      (error: unknown) => answer(response, 500, String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    end: () => {
      for (const line of lines) line.end();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Resolves when the server answers again. */
async function command(control: string | null, action: string): Promise<unknown> {
  const done = await fetch(`${control}/${UNDER_TEST}/${action}`, { method: "POST" });
  if (!done.ok) throw new Error(`the control server answered ${await done.text()}`);
  return {};
}

function answer(response: ServerResponse, status: number, body: string): void {
  // The page of a case has another origin.
  response.writeHead(status, {
    "access-control-allow-origin": "*",
    "content-type": "application/json",
  });
  response.end(body);
}
