// Writes the TypeScript types of the wire: `npm run wire`. With `--check` it writes nothing and fails
// when they differ from the documents: `npm run check:wire`.
//
// The documents beside this file are written by `cargo xtask wire` from the types of the server.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import prettier from "prettier";

import { apiModule } from "./api.mjs";
import { socketModule } from "./socket.mjs";

const DIRECTORY = import.meta.dirname;
const TARGET = join(DIRECTORY, "../sdk/src/wire");

/** @param {string} name */
async function documentOf(name) {
  return JSON.parse(await readFile(join(DIRECTORY, name), "utf8"));
}

/**
 * A generated module.
 * @param {string} what
 * @param {string} document
 * @param {string} code
 */
async function formatted(what, document, code) {
  const source = `// Generated from web/wire/${document} by \`cargo xtask wire\`; do not edit.`;
  const head = `// ${what}\n${source}\n`;
  const options = await prettier.resolveConfig(join(DIRECTORY, "../package.json"));
  return prettier.format(`${head}\n${code}`, { ...options, parser: "typescript" });
}

const [openapi, asyncapi] = [await documentOf("openapi.json"), await documentOf("asyncapi.json")];
const socketTypes = new Set(Object.keys(asyncapi.components.schemas));
const modules = {
  "api.ts": await formatted(
    "Bodies and operations of the REST API.",
    "openapi.json",
    apiModule(openapi, socketTypes),
  ),
  "socket.ts": await formatted(
    "Frames, codes and limits of the WebSocket protocol.",
    "asyncapi.json",
    socketModule(asyncapi),
  ),
};

for (const [name, text] of Object.entries(modules)) {
  const path = join(TARGET, name);
  if (!process.argv.includes("--check")) {
    await writeFile(path, text);
  } else if ((await readFile(path, "utf8")) !== text) {
    console.error(`web/sdk/src/wire/${name} is outdated: run \`cargo xtask wire\``);
    process.exitCode = 1;
  }
}
