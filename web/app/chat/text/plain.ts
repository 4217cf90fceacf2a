// A message text without its markup, in one line: for quotes, previews and screen readers.
import { cut } from "../../../ui/graphemes.ts";
import { formatterOf } from "./markup.svelte.ts";
import type { Block, Inline } from "./nodes.ts";

/** Two lines hold less; the rest would only cost layout. */
const MAX_CHARS = 240;

export function excerpt(text: string): string {
  const start = cut(text, MAX_CHARS * 3);
  const blocks = formatterOf(start)?.parse(start);
  const line = (blocks?.map(ofBlock).join(" ") ?? start).replace(/\s+/gu, " ").trim();
  return line.length > MAX_CHARS ? `${cut(line, MAX_CHARS).trimEnd()}…` : line;
}

function ofBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return block.children.map(ofInline).join("");
    case "code":
      return block.text;
    case "quote":
      return block.blocks.map(ofBlock).join(" ");
    case "list":
      return block.items.map((item) => item.map(ofBlock).join(" ")).join(" · ");
  }
}

function ofInline(node: Inline): string {
  switch (node.kind) {
    case "text":
    case "code":
      return node.text;
    case "break":
      return " ";
    case "mention":
      return `@${node.name}`;
    default:
      return node.children.map(ofInline).join("");
  }
}
