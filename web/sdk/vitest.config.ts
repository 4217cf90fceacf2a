import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Needs a server: `npm run test:real` with COLLOQUY_URL.
    exclude: ["test/real/**"],
  },
});
