// Starts the SDK's clients of the torture run: bundles `main.ts`, because Node 20 runs no TypeScript,
// and runs the bundle in this process.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { rolldown } from "rolldown";

const built = await rolldown({
  input: join(import.meta.dirname, "main.ts"),
  platform: "node",
  // The import paths of the sources end with `.js`.
  resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
});
const { output } = await built.generate({ format: "esm", codeSplitting: false });
await built.close();

const directory = await mkdtemp(join(tmpdir(), "colloquy-torture-"));
const file = join(directory, "main.mjs");
await writeFile(file, output[0].code);
await import(file);
await rm(directory, { recursive: true });
