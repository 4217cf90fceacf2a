/**
 * A Vite plugin that turns the examples of documents into modules: `readme:<heading>|<names>` is
 * the first block of TypeScript under the heading of the document called `readme`. The names are
 * what the example takes as known; they come from `globalThis.given`.
 */
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

const VIRTUAL = "/examples/";

/** The files of the documents, by the names that modules are imported with. */
export function examples(documents: Readonly<Record<string, string>>): Plugin {
  return {
    name: "examples",
    enforce: "pre",
    resolveId(id) {
      const [name = "", rest] = id.split(":");
      return documents[name] && rest ? `${VIRTUAL}${name}/${rest}.ts` : null;
    },
    load(id) {
      if (!id.startsWith(VIRTUAL)) return null;
      const [name = "", rest = ""] = id.slice(VIRTUAL.length, -".ts".length).split("/");
      const [heading = "", given] = rest.split("|");
      const text = readFileSync(documents[name] ?? "", "utf8");
      return example(text, heading.replaceAll("-", " "), given ?? "");
    },
  };
}

function example(markdown: string, heading: string, given: string): string {
  const section = markdown.split(/^#+ /m).find((each) => each.startsWith(`${heading}\n`));
  const block = /^```ts\n([\s\S]*?)^```/m.exec(section ?? "")?.[1];
  if (!block) throw new Error(`there is no example under “${heading}”`);
  return `const { ${given} } = globalThis.given ?? {};\n${block}\nexport {};`;
}
