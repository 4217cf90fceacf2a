// The icon sprite: one SVG element with a symbol per name in `ui/icons/names.ts`, taken from the package
// `lucide-static`. It is written into a page where its HTML has the comment `<!-- icons -->`: an icon that is
// shown for the first time while the line is down must not need a request.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

import { ICONS } from "../ui/icons/names.ts";

const PLACE = "<!-- icons -->";

const home = dirname(createRequire(import.meta.url).resolve("lucide-static/package.json"));

/** The sprite of the icons in use. */
function iconSprite(): string {
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(home, "icons", `${name}.svg`), "utf8");
    const shapes = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="icon-${name}" viewBox="0 0 24 24">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`;
  });
  return `<svg width="0" height="0" hidden>${symbols.join("")}</svg>`;
}

export function iconsPlugin(): Plugin {
  return {
    name: "colloquy-icons",
    transformIndexHtml: {
      order: "pre",
      handler: (html) => html.replace(PLACE, iconSprite),
    },
    generateBundle() {
      const source = readFileSync(join(home, "LICENSE"), "utf8");
      this.emitFile({ type: "asset", name: "icons-license.txt", source });
    },
  };
}
