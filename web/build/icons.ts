// The icon sprites: SVG elements with a symbol per icon, taken from the package `lucide-static`. They are written
// where a page or a component has the comment `<!-- icons -->`: an icon that is shown for the first time while
// the line is down must not need a request.
//
// A page gets the icons of everything it loads, except what is only loaded by a component with the comment. Such a
// component brings its own, so the first load of the page is smaller.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import type { Plugin } from "vite";

import { ICONS, type IconName } from "../ui/icons/names.ts";

const PLACE = "<!-- icons -->";

/** Imports of types add nothing to a page. */
const TYPES = /^ *(?:import|export) type [^;]*;/gm;
/** An import of a module of our own, static or not. */
const IMPORT = /\b(?:from|import) ?\(?"(\.[^"]+\.(?:ts|svelte))"/g;

const home = dirname(createRequire(import.meta.url).resolve("lucide-static/package.json"));

function sprite(icons: ReadonlySet<IconName>, present: ReadonlySet<IconName> = new Set()): string {
  const symbols = ICONS.filter((name) => icons.has(name) && !present.has(name)).map((name) => {
    const svg = readFileSync(join(home, "icons", `${name}.svg`), "utf8");
    const shapes = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="icon-${name}" viewBox="0 0 24 24">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`;
  });
  return `<svg width="0" height="0" hidden>${symbols.join("")}</svg>`;
}

/** The icons that `entry` and the modules it imports name: the names are literals, so the text has them. */
export function iconsOf(...entries: string[]): Set<IconName> {
  const modules = new Set(entries);
  const icons = new Set<IconName>();
  for (const module of modules) {
    const code = readFileSync(module, "utf8").replace(TYPES, "");
    if (!entries.includes(module) && code.includes(PLACE)) continue;
    for (const name of ICONS) if (code.includes(`"${name}"`)) icons.add(name);
    for (const [, path = ""] of code.matchAll(IMPORT)) modules.add(join(dirname(module), path));
  }
  return icons;
}

export function iconsPlugin(web: string): Plugin {
  const ofPage = (name: string) => iconsOf(join(web, name, "main.ts"));
  return {
    name: "colloquy-icons",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith(".svelte") || !code.includes(PLACE)) return null;
      const [page = ""] = relative(web, id).split(sep);
      return code.replace(PLACE, sprite(iconsOf(id), ofPage(page)));
    },
    transformIndexHtml: {
      order: "pre",
      handler: (html, { filename }) =>
        html.replace(PLACE, () => sprite(ofPage(relative(web, dirname(filename))))),
    },
    generateBundle() {
      const source = readFileSync(join(home, "LICENSE"), "utf8");
      this.emitFile({ type: "asset", name: "icons-license.txt", source });
    },
  };
}
