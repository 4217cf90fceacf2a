import { defineConfig } from "vitest/config";

import { examples } from "./test/support/readme.js";

const root = import.meta.dirname;

export default defineConfig({
  plugins: [examples({ readme: `${root}/README.md`, clients: `${root}/../../docs/clients.md` })],
  resolve: {
    alias: [
      { find: /^@colloquy\/sdk$/, replacement: `${root}/src/index.ts` },
      { find: /^@colloquy\/sdk\/(.+)$/, replacement: `${root}/src/$1.ts` },
    ],
  },
  // The Svelte of a page; that of a server is not reactive.
  ssr: { resolve: { conditions: ["browser", "import"] } },
  test: {
    include: ["test/**/*.test.ts"],
    // Needs a server: `npm run test:real` with COLLOQUY_URL.
    exclude: ["test/real/**"],
    // Resolved with the conditions above.
    server: { deps: { inline: ["svelte"] } },
  },
});
