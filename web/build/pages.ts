// The pages of the site: every directory of `web/` with an `index.html` is one, and has its own entry,
// so that no page loads code of another. The page of `app` is served at `/`, any other at `/<name>/`.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export interface Page {
  /** The name of its directory. */
  readonly name: string;
  /** The absolute path of its HTML file. */
  readonly html: string;
  /** The path it is served at, with a trailing slash. */
  readonly url: string;
}

/** Directories with HTML files that are no sources. */
const IGNORED = new Set(["dist", "node_modules", "public"]);

/** The pages below `root`, by name. */
export function findPages(root: string): Page[] {
  const names = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !IGNORED.has(entry.name))
    .map((entry) => entry.name)
    .filter((name) => existsSync(join(root, name, "index.html")))
    .sort();
  return names.map((name) => ({
    name,
    html: join(root, name, "index.html"),
    url: name === "app" ? "/" : `/${name}/`,
  }));
}

/** Serves and writes each page at its path instead of at the path of its source. */
export function pagesPlugin(pages: readonly Page[]): Plugin {
  const sources = new Map(pages.map(({ name, url }) => [url, `/${name}/index.html`]));
  return {
    name: "colloquy-pages",
    enforce: "post",
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        const [path = "", query] = (request.url ?? "").split("?", 2);
        const source = sources.get(path);
        if (source) request.url = query === undefined ? source : `${source}?${query}`;
        next();
      });
    },
    generateBundle(_options, bundle) {
      for (const { name, url } of pages) {
        const html = bundle[`${name}/index.html`];
        if (html) html.fileName = `${url.slice(1)}index.html`;
      }
    },
  };
}
