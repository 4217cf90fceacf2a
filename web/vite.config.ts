// The build of every page into `dist`, and the development server.
//
// The output must not depend on machine, directory or time: `cargo xtask web --check` compares it byte
// by byte with the committed one. So: no source maps, no timestamps, exact package versions.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

import { chunkGroups } from "./build/chunks.ts";
import { docsPlugin } from "./build/docs.ts";
import { emojiPlugin } from "./build/emoji.ts";
import { iconsPlugin } from "./build/icons.ts";
import { findPages, pagesPlugin } from "./build/pages.ts";
import { sveltePlugin } from "./build/svelte.ts";

const root = import.meta.dirname;
const pages = findPages(root);

/** The server that `npm run dev` passes API requests and sockets to. */
const server = process.env.COLLOQUY_URL ?? "http://127.0.0.1:8000";

const browserTests = {
  extends: true as const,
  test: {
    name: "browser",
    include: ["test/browser/*.test.ts"],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    tags: [
      {
        name: "every-host",
        description:
          "also runs on PostgreSQL and at the edge; all others on the embedded host only",
      },
    ],
    // What is awaited arrives within a second, but not on a machine that does other work.
    expect: { poll: { timeout: 20_000 } },
    // Each file starts a browser. Two of them use the two cores of a usual CI machine.
    maxWorkers: 2,
  },
};

/** Measurements. They run after the other tests and one at a time: they need the machine for themselves. */
const numbers = {
  ...browserTests,
  test: {
    ...browserTests.test,
    name: "numbers",
    include: ["test/browser/numbers/*.test.ts"],
    maxWorkers: 1,
    sequence: { groupOrder: 1 },
  },
};

export default defineConfig({
  root,
  base: "/",
  publicDir: "public",
  plugins: [
    iconsPlugin(root),
    svelte(),
    sveltePlugin(),
    emojiPlugin(),
    docsPlugin(root),
    pagesPlugin(pages),
  ],
  resolve: {
    // The sources of the SDK and not its build: one build of everything, and changes are seen at once.
    alias: [
      { find: /^@colloquy\/sdk$/, replacement: `${root}/sdk/src/index.ts` },
      { find: /^@colloquy\/sdk\/(.+)$/, replacement: `${root}/sdk/src/$1.ts` },
    ],
  },
  build: {
    outDir: process.env.WEB_DIST ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    // A data URL would be a second way to deliver a file, without a cache of its own.
    assetsInlineLimit: 0,
    // Every supported browser has `modulepreload`.
    modulePreload: { polyfill: false },
    // For size budgets; `cargo xtask web` removes it.
    manifest: true,
    license: { fileName: "licenses.txt" },
    rolldownOptions: {
      input: Object.fromEntries(pages.map(({ name, html }) => [name, html])),
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
        // The licences are in licenses.txt.
        codeSplitting: { groups: chunkGroups(root) },
        comments: { legal: false },
      },
    },
  },
  server: {
    proxy: {
      "/api": server,
      "/health": server,
      "/ws": { target: server, ws: true },
    },
  },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["{app,build,docs,guarantees,ui}/**/*.test.ts"] },
      },
      // Needs a server that serves the build.
      ...(process.env.COLLOQUY_URL ? [browserTests, numbers] : []),
    ],
  },
});
