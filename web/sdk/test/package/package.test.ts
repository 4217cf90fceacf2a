/**
 * The package as it is published: its files, its types, its sizes. It is built into a directory of its own, so that
 * no other build adds or removes files of it.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";

const SOURCES = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGE = mkdtempSync(join(tmpdir(), "colloquy-sdk-"));

/** Commands are those of the workspace. */
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, {
    cwd: SOURCES,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

beforeAll(() => {
  for (const name of ["package.json", "README.md", "LICENSE-APACHE", "LICENSE-MIT"]) {
    cpSync(join(SOURCES, name), join(PACKAGE, name));
  }
  run("npx", "tsc", "-p", ".", "--outDir", join(PACKAGE, "dist"));
}, 300_000);

afterAll(() => rmSync(PACKAGE, { recursive: true }));

/** The size of a bundle of this entry, minified and compressed, without its peers. */
async function size(entry: string, names = "*"): Promise<number> {
  const code =
    names === "*"
      ? `export * from "${PACKAGE}/dist/${entry}"`
      : `export { ${names} } from "${PACKAGE}/dist/${entry}"`;
  const bundle = await rolldown({
    input: "entry",
    external: ["react", "svelte/reactivity"],
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? id : null),
        load: (id) => (id === "entry" ? code : null),
      },
    ],
  });
  const { output } = await bundle.generate({ minify: true });
  return gzipSync(output[0].code, { level: 9 }).length;
}

test.each([
  ["index.js", "createClient", 16.6],
  ["index.js", "*", 17.6],
  ["indexeddb.js", "*", 1.5],
  ["react.js", "*", 1],
  ["svelte.js", "*", 1],
  ["rest.js", "*", 3],
])("%s { %s } is at most %d KB gz", async (entry, names, limit) => {
  const bytes = await size(entry, names);
  console.info(`size ${entry} { ${names} }: ${bytes} bytes of ${limit * 1024}`);
  expect(bytes).toBeLessThanOrEqual(limit * 1024);
});

test("the packed files", () => {
  const [packed] = JSON.parse(
    run("npm", "pack", PACKAGE, "--dry-run", "--json", "--ignore-scripts"),
  ) as [{ files: { path: string }[] }];
  expect(packed.files.map(({ path }) => path).sort()).toMatchSnapshot();
});

test("it has no dependency, and every export names its types first", () => {
  const manifest = JSON.parse(readFileSync(join(SOURCES, "package.json"), "utf8")) as {
    dependencies?: unknown;
    exports: Record<string, Record<string, string>>;
  };
  expect(manifest.dependencies).toBeUndefined();
  for (const entry of Object.values(manifest.exports)) {
    expect(Object.keys(entry)).toEqual(["types", "default"]);
  }
});

test("publint finds nothing", () => {
  expect(run("npx", "publint", PACKAGE, "--strict", "--pack", "npm")).toContain("All good!");
}, 300_000);

test("the types resolve in every way in which ESM is resolved", () => {
  // A problem makes it fail.
  expect(run("npx", "attw", "--pack", PACKAGE, "--profile", "esm-only")).toContain("@colloquy/sdk");
}, 300_000);
