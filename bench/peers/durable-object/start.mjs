// Runs the peer under the same runtime, with the same compatibility date, as the Worker.
//
//   PORT=… [STORE=none] node bench/peers/durable-object/start.mjs

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../../..");
const { Miniflare } = createRequire(join(root, "worker/npm/package.json"))("miniflare");
const configuration = readFileSync(join(root, "wrangler.toml"), "utf8");

const miniflare = new Miniflare({
  host: "127.0.0.1",
  port: Number(process.env.PORT),
  cf: false,
  compatibilityDate: /^compatibility_date\s*=\s*"([\d-]+)"/m.exec(configuration)[1],
  modules: [{ type: "ESModule", path: join(here, "worker.mjs") }],
  modulesRoot: here,
  bindings: { STORE: process.env.STORE ?? "put" },
  durableObjects: { ROOMS: { className: "Room", useSQLite: true } },
});
await miniflare.ready;

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => miniflare.dispose().finally(() => process.exit(0)));
}
