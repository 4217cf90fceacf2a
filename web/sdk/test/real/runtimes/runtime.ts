/** What a runtime of the suite is to the test process, and the bundle it gets. */
import { rolldown } from "rolldown";
import type { Outcome } from "../suite/suite.js";
import type { Addresses } from "../suite/world.js";

export interface Runtime {
  run(name: string, addresses: Addresses): Promise<Outcome>;
  end(): Promise<void>;
}

/** A runtime by its name in reports. It starts when its first case does. */
export interface RuntimeKind {
  readonly name: string;
  start(): Promise<Runtime>;
}

const ENTRIES = `${import.meta.dirname}/../entries`;

/** One module with the suite and the SDK, from their sources. */
export async function bundle(entry: "node" | "page" | "worker"): Promise<string> {
  const built = await rolldown({
    input: `${ENTRIES}/${entry}.ts`,
    platform: entry === "node" ? "node" : "browser",
    // The import paths of the sources end with `.js`.
    resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
  });
  const { output } = await built.generate({ format: "esm", codeSplitting: false });
  await built.close();
  return output[0].code;
}
