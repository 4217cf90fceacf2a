/**
 * A Vite plugin that turns the examples of the README into modules: `readme:<heading>|<names>` is
 * the first block of TypeScript under the heading. The names are what the example takes as known;
 * they come from `globalThis.given`.
 */
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

const PREFIX = "readme:";
const VIRTUAL = "/readme/";

export function readmeExamples(readme: string): Plugin {
  return {
    name: "readme-examples",
    enforce: "pre",
    resolveId: (id) => (id.startsWith(PREFIX) ? `${VIRTUAL}${id.slice(PREFIX.length)}.ts` : null),
    load(id) {
      if (!id.startsWith(VIRTUAL)) return null;
      const [heading = "", given] = id.slice(VIRTUAL.length, -".ts".length).split("|");
      return example(readFileSync(readme, "utf8"), heading.replaceAll("-", " "), given ?? "");
    },
  };
}

function example(markdown: string, heading: string, given: string): string {
  const section = markdown.split(/^#+ /m).find((each) => each.startsWith(`${heading}\n`));
  const block = /^```ts\n([\s\S]*?)^```/m.exec(section ?? "")?.[1];
  if (!block) throw new Error(`the README has no example under “${heading}”`);
  return `const { ${given} } = globalThis.given ?? {};\n${block}\nexport {};`;
}
