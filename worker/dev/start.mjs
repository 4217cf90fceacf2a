// Runs the built Worker locally in workerd and prints its URL.
//
//   node worker/dev/start.mjs [--port 8787] [--build worker/build]
//
// The build directory, relative to the root, defaults to WORKER_BUILD. The database is DATABASE_URL,
// behind a Hyperdrive binding as on the platform. Environment variables with the names below become
// variables of the Worker. Bindings and compatibility date are read from wrangler.toml.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const require = createRequire(join(root, "worker/npm/package.json"));
const { Miniflare } = require("miniflare");

// The settings of core that apply to the Worker; those of a native process are left out.
const SETTINGS = [
  "SECRET_KEY", "SECRET_KEY_PREVIOUS", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN",
  "ACCESS_TOKEN_SECONDS", "REFRESH_TOKEN_SECONDS", "THROTTLE_RATE_SECONDS",
  "CORS_ALLOWED_ORIGINS", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "LOG_LEVEL",
  "MAX_GROUP_MEMBERS", "REGISTRATION", "SHOW_EMAILS",
  "LOGIN_ATTEMPTS_PER_ACCOUNT", "LOGIN_ATTEMPTS_PER_ADDRESS", "REGISTRATIONS_PER_ADDRESS",
  "ATTEMPTS_WINDOW_SECONDS", "BUDGET_FACTOR",
];

function argument(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : fallback;
}

const database = process.env.DATABASE_URL;
if (!database) {
  console.error("DATABASE_URL is not set: give postgres://user:password@host:port/name");
  process.exit(2);
}

const configuration = readFileSync(join(root, "wrangler.toml"), "utf8");
const compatibilityDate = /^compatibility_date\s*=\s*"([\d-]+)"/m.exec(configuration)?.[1];
if (!compatibilityDate) {
  console.error("wrangler.toml names no compatibility_date");
  process.exit(2);
}

// The simulator's Hyperdrive leaves errors of its own sockets unhandled; a client or server that
// disconnects must not end it.
process.on("uncaughtException", (error) => {
  if (["ECONNRESET", "EPIPE", "ECONNREFUSED"].includes(error?.code)) return;
  console.error(error);
  process.exit(1);
});

// Forwards the output of the runtime. If the runtime exits unexpectedly, this process exits too, so
// that a dead server does not look alive.
let leaving = false;
function handleRuntimeStdio(stdout, stderr) {
  stdout.pipe(process.stdout);
  stderr.pipe(process.stderr);
  stdout.on("end", () => {
    if (leaving) return;
    console.error("workerd has ended");
    process.exit(1);
  });
}

const build = resolve(root, argument("build", process.env.WORKER_BUILD ?? "worker/build"));
const bindings = Object.fromEntries(
  SETTINGS.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]),
);
const object = (className) => ({ className, useSQLite: true });
// The platform's own router and asset Worker, which answer the files of this directory and apply its
// `_headers` before a request reaches ours. An empty WORKER_ASSETS leaves them out.
const assets = process.env.WORKER_ASSETS ?? "web/dist";
const routerConfig = { has_user_worker: true };
const persist = argument("persist", undefined);
const miniflare = new Miniflare({
  name: "colloquy",
  host: argument("host", "127.0.0.1"),
  port: Number(argument("port", process.env.PORT ?? "0")),
  cf: false,
  // Otherwise what is asked of Redis passes through another Worker, for a header it does not have.
  stripCfConnectingIp: false,
  compatibilityDate,
  modulesRoot: build,
  modules: [
    { type: "ESModule", path: join(build, "index.js") },
    { type: "CompiledWasm", path: join(build, "index_bg.wasm") },
  ],
  bindings,
  durableObjects: {
    ROOMS: object("RoomObject"), SESSIONS: object("SessionObject"), LIMITS: object("LimitsObject"),
  },
  hyperdrives: { HYPERDRIVE: database },
  ...(assets ? { assets: { directory: resolve(root, assets), routerConfig } } : {}),
  handleRuntimeStdio,
  ...(persist ? { durableObjectsPersist: resolve(persist) } : {}),
});

const url = await miniflare.ready;
console.log(`listening on ${String(url).replace(/\/$/, "")}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    leaving = true;
    miniflare.dispose().finally(() => process.exit(0));
  });
}
