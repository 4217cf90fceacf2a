// Which modules share a file. By itself the build makes a file for every combination of entries that use a
// module: most are smaller than the headers of their answer, and each is compressed without the others.
//
// A load is what a browser fetches at once: a page, or a part that a page fetches later. Modules with the same
// set of loads share a file, so a load has few files, and none with code it does not need. Modules of no load
// below are grouped by the build. To add a load, add a row.
import type { Rolldown } from "vite";

interface Load {
  readonly name: string;
  /** Its modules, relative to `web`; of these follow the others by their imports. */
  readonly modules: readonly string[];
  /** The load that is there already when this one starts. */
  readonly after?: string;
}

/** It exports all of the SDK, so what a load uses of that is named in its row. */
const BARREL = "sdk/src/index.ts";
const TOKENS = "sdk/src/session/password_tokens.ts";
const CLIENT = "sdk/src/client.ts";
/** A few bytes that the catalogues of every page use. */
const PLURAL = "ui/i18n/plural.ts";

const LOADS: readonly Load[] = [
  { name: "app", modules: ["app/main.ts", TOKENS, "sdk/src/storage/forget.ts", PLURAL] },
  { name: "error", modules: ["app/errors/ErrorBanner.svelte"], after: "app" },
  { name: "register", modules: ["app/signed-out/Register.svelte"], after: "app" },
  { name: "docs", modules: ["docs/main.ts"] },
  { name: "guarantees", modules: ["guarantees/main.ts"] },
  { name: "shell", modules: ["app/shell/Shell.svelte", CLIENT], after: "app" },
  { name: "later", modules: ["app/shell/later.ts"], after: "shell" },
  { name: "details", modules: ["app/chat/details/Details.svelte"], after: "shell" },
  { name: "chat", modules: ["app/chat/later.ts"], after: "shell" },
  { name: "formatted", modules: ["app/chat/text/formatted.ts"], after: "shell" },
  { name: "emoji", modules: ["app/chat/emoji/EmojiPicker.svelte"], after: "shell" },
  { name: "demo", modules: ["guarantees/view/demo.ts", TOKENS, CLIENT], after: "guarantees" },
];

/** The groups for `output.codeSplitting`. */
export function chunkGroups(web: string): Rolldown.CodeSplittingGroup[] {
  const path = (module: string) => `${web}/${module}`;
  // The module of a page must stay in the file that its HTML names.
  const pages = new Set(
    LOADS.filter((load) => !load.after).map((load) => path(load.modules[0] ?? "")),
  );
  let closures: Map<string, ReadonlySet<string>> | undefined;
  const name = (id: string, context: Rolldown.ChunkingContext): string | null => {
    closures ??= new Map(
      LOADS.map((load) => [load.name, closure(load.modules.map(path), path(BARREL), context)]),
    );
    return loadsOf(id, closures).join("-") || null;
  };
  return [
    {
      name,
      debugName: "loads",
      test: (id) => !pages.has(id),
      includeDependenciesRecursively: false,
    },
  ];
}

/** The loads that fetch a module: those whose page or earlier part has it already do not. */
function loadsOf(id: string, closures: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const has = (name: string): boolean => closures.get(name)?.has(id) === true;
  const before = ({ after }: Load): boolean => {
    const earlier = LOADS.find(({ name }) => name === after);
    return earlier !== undefined && (has(earlier.name) || before(earlier));
  };
  return LOADS.filter((load) => has(load.name) && !before(load)).map(({ name }) => name);
}

/** These modules and everything they import statically, except what `barrel` imports. */
function closure(
  modules: readonly string[],
  barrel: string,
  context: Rolldown.ChunkingContext,
): Set<string> {
  const found = new Set(modules);
  for (const id of found) {
    if (id === barrel) continue;
    for (const imported of context.getModuleInfo(id)?.importedIds ?? []) found.add(imported);
  }
  return found;
}
