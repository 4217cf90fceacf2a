// The icon sprite: one SVG file with a symbol per name in `ui/icons/names.ts`, taken from the package
// `lucide-static`. Pages import its URL as `virtual:icons` and refer to a symbol by its name.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

import { ICONS } from "../ui/icons/names.ts";

const VIRTUAL = "virtual:icons";
const RESOLVED = `\0${VIRTUAL}`;
const DEV_URL = "/@icons.svg";

const home = dirname(createRequire(import.meta.url).resolve("lucide-static/package.json"));

/** The sprite of the icons in use. */
export function iconSprite(names: readonly string[] = ICONS): string {
  const symbols = names.map((name) => {
    const svg = readFileSync(join(home, "icons", `${name}.svg`), "utf8");
    const shapes = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`;
  });
  const licence = "<!-- Lucide icons. Their licence is in icons-license of this directory. -->";
  return `${licence}\n<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
}

export function iconsPlugin(): Plugin {
  let serving = false;
  return {
    name: "colloquy-icons",
    configResolved(config) {
      serving = config.command === "serve";
    },
    resolveId: (id) => (id === VIRTUAL ? RESOLVED : null),
    load(id) {
      if (id !== RESOLVED) return null;
      if (serving) return `export default ${JSON.stringify(DEV_URL)};`;
      const source = readFileSync(join(home, "LICENSE"), "utf8");
      this.emitFile({ type: "asset", name: "icons-license.txt", source });
      const file = this.emitFile({ type: "asset", name: "icons.svg", source: iconSprite() });
      return `export default import.meta.ROLLUP_FILE_URL_${file};`;
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url !== DEV_URL) return next();
        response.setHeader("content-type", "image/svg+xml");
        response.end(iconSprite());
      });
    },
  };
}
