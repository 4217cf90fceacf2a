import { expect, test, vi } from "vitest";

test("a preview is shown at once, and stored only when it is set", async () => {
  const stored = new Map<string, string>();
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  const { settings } = await import("./store.svelte.ts");
  settings.preview({ listWidth: 350 });
  expect(settings.current.listWidth).toBe(350);
  expect(stored.size).toBe(0);
  settings.set({ listWidth: 360 });
  expect([...stored.values()].join()).toContain('"listWidth":360');
});
