// Puts the page of `docs` into its HTML file: rendered at build time, so that it can be read without scripts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { runnerImport, type Plugin } from "vite";

type Renderer = typeof import("../docs/render.ts");
type Rendered = ReturnType<Renderer["renderDocs"]>;

/** The page, from the sources below `web` and the documents of the repository. */
export async function renderDocsPage(web: string): Promise<Rendered> {
  // Components are compiled for the server here, and again for browsers by the build.
  const { module } = await runnerImport<Renderer>(join(web, "docs/render.ts"), {
    root: web,
    plugins: [svelte()],
  });
  const read = (path: string) => readFileSync(join(web, path), "utf8");
  return module.renderDocs(
    JSON.parse(read("wire/openapi.json")),
    JSON.parse(read("wire/asyncapi.json")),
    {
      readme: read("../README.md"),
      protocol: read("../docs/protocol.md"),
      clients: read("../docs/clients.md"),
      sdk: read("sdk/README.md"),
    },
  );
}

export function docsPlugin(web: string): Plugin {
  return {
    name: "colloquy-docs",
    transformIndexHtml: {
      order: "pre",
      async handler(html, { filename }) {
        if (filename !== join(web, "docs/index.html")) return;
        const { html: page, digest } = await renderDocsPage(web);
        // A function, because `$` has a meaning in a replacement text.
        return html.replace("<!--page-->", () => page).replace("%digest%", digest);
      },
    },
  };
}
