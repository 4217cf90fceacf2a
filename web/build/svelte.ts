// Removes the parts of Svelte's runtime that no page uses: hydration, components of Svelte 4, and `await` in
// components. Svelte keeps each behind a variable that only its entry function sets, so that Rollup can find
// that it never changes. Rolldown does not look for that yet, so here the variables become constants.
import type { Plugin } from "vite";

/** The modules with such variables, and the names of the variables. */
const MODES: readonly (readonly [module: string, variables: readonly string[]])[] = [
  ["/svelte/src/internal/client/dom/hydration.js", ["hydrating"]],
  [
    "/svelte/src/internal/flags/index.js",
    ["async_mode_flag", "legacy_mode_flag", "tracing_mode_flag"],
  ],
];

/** The module without a way to turn `variable` on; a call that tries it fails. */
function neverOn(code: string, variable: string): string {
  const declaration = `export let ${variable} = false;`;
  if (!code.includes(declaration)) throw new Error(`Svelte no longer declares ${variable}`);
  return code
    .replace(declaration, `export const ${variable} = false;`)
    .replace(
      new RegExp(`^\\t${variable} = (?!false).*;$`, "gm"),
      `\tthrow new Error("${variable}");`,
    )
    .replace(new RegExp(`^\\t${variable} = false;$`, "gm"), "");
}

export function sveltePlugin(): Plugin {
  return {
    name: "colloquy-svelte",
    apply: "build",
    transform(code, id) {
      const mode = MODES.find(([module]) => id.endsWith(module));
      return mode ? mode[1].reduce(neverOn, code) : null;
    },
  };
}
