/** workerd, by the miniflare that runs the edge: the suite inside a Worker, a request for a case. */
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import type { NodeRequest } from "../entries/node.js";
import type { Outcome } from "../suite/suite.js";
import { bundle, type Runtime, type RuntimeKind } from "./runtime.js";

const ROOT = `${import.meta.dirname}/../../../../..`;

/** The part of miniflare that is used here; the package belongs to `worker/npm`. */
interface Miniflare {
  ready: Promise<URL>;
  dispose(): Promise<void>;
}
type MiniflareClass = new (options: Record<string, unknown>) => Miniflare;

export const workerd: RuntimeKind = { name: "workerd", start };

async function start(): Promise<Runtime> {
  const script = await bundle("worker");
  const Miniflare = miniflare();
  const worker = new Miniflare({
    name: "suite",
    modules: true,
    script,
    compatibilityDate: compatibilityDate(),
    cf: false,
  });
  const url = await worker.ready;
  return {
    run: async (name, addresses) => {
      const request: NodeRequest = { name, addresses };
      const answer = await fetch(url, { method: "POST", body: JSON.stringify(request) });
      if (!answer.ok) return { ok: false, error: await answer.text() };
      return (await answer.json()) as Outcome;
    },
    end: () => worker.dispose(),
  };
}

function miniflare(): MiniflareClass {
  const require = createRequire(`${ROOT}/worker/npm/package.json`);
  try {
    return (require("miniflare") as { Miniflare: MiniflareClass }).Miniflare;
  } catch (cause) {
    throw new Error("miniflare is missing: npm ci --ignore-scripts in worker/npm", { cause });
  }
}

/** That of the edge. */
function compatibilityDate(): string {
  const text = readFileSync(`${ROOT}/wrangler.toml`, "utf8");
  const date = /^compatibility_date\s*=\s*"([\d-]+)"/m.exec(text)?.[1];
  if (!date) throw new Error("wrangler.toml names no compatibility_date");
  return date;
}
