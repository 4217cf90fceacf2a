import { fileURLToPath } from "node:url";
import { createServer, type Plugin } from "vite";
import { expect, test } from "vitest";
import { MUTATIONS, type Mutation } from "./mutations.js";

const SEEDS = 150;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Applies a mutation while its file is loaded. Fails if the text is not there any more. */
function mutate({ file, from, to }: Mutation): Plugin {
  return {
    name: "mutate",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith(file)) return null;
      if (!code.includes(from)) throw new Error(`${file} does not contain the text to mutate`);
      return code.replace(from, to);
    },
  };
}

async function load(plugins: Plugin[]): Promise<typeof import("./world.js")> {
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    plugins,
    server: { middlewareMode: true, ws: false, watch: null },
  });
  try {
    const module = await server.ssrLoadModule("/test/property/world.ts");
    return module as typeof import("./world.js");
  } finally {
    await server.close();
  }
}

/** The number of the first seed that fails, or `null`. */
async function firstFailure(plugins: Plugin[], seeds: number): Promise<string | null> {
  const { runSeed } = await load(plugins);
  for (let seed = 1; seed <= seeds; seed++) {
    const failed = await runSeed(seed).then(
      () => null,
      (error: Error) => error.message,
    );
    if (failed) return failed;
  }
  return null;
}

test("the sources as they are pass when they are loaded in this way", async () => {
  expect(await firstFailure([], 20)).toBeNull();
}, 300_000);

test.each(MUTATIONS)(
  "the property finds: $name",
  async (mutation) => {
    expect(await firstFailure([mutate(mutation)], SEEDS)).toMatch(/^seed \d+: /);
  },
  300_000,
);
