import { defineConfig } from "vitest/config";

/** Against the server at COLLOQUY_URL. */
export default defineConfig({
  test: { include: ["test/real/**/*.test.ts"], testTimeout: 60_000, fileParallelism: false },
});
