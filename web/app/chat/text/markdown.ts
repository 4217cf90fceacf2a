// Markdown of a message to nodes. Only the lexer of `marked` is used: its tokens become nodes, and whatever
// a chat has no use for (headings, tables, images, HTML) stays the text that was typed. Loaded when the browser
// is idle: the lexer is a sixth of the client.
import { Lexer, Tokenizer, type MarkedOptions, type Token, type Tokens } from "marked";

import { safeLink } from "./links.ts";
import type { Block, Inline, Mentioned } from "./nodes.ts";

/** Deeper quotes and lists are shown as typed: no one reads them, and each level costs elements. */
const MAX_DEPTH = 5;

class ChatTokenizer extends Tokenizer {
  override code = () => undefined;
  override heading = () => undefined;
  override lheading = () => undefined;
  override hr = () => undefined;
  override html = () => undefined;
  override tag = () => undefined;
  override table = () => undefined;
  override def = () => undefined;
  override reflink = () => undefined;
}

export function parse(text: string, mentioned: readonly Mentioned[] = []): readonly Block[] {
  try {
    return toBlocks(new Lexer(options(mentioned)).lex(text), mentioned, 0);
  } catch {
    // Thousands of nested markers exceed the stack of the lexer.
    return [{ kind: "paragraph", children: [{ kind: "text", text }] }];
  }
}

function options(mentioned: readonly Mentioned[]): MarkedOptions {
  const base = { gfm: true, breaks: true, tokenizer: new ChatTokenizer() };
  if (mentioned.length === 0) return base;
  const names = mentioned.map(({ name }) => name);
  const mention = (src: string): Tokens.Generic | undefined => {
    const name = nameAt(src, names);
    return name === undefined ? undefined : { type: "mention", raw: `@${name}`, name };
  };
  const start = (src: string) => (src.includes("@") ? src.indexOf("@") : undefined);
  return {
    ...base,
    extensions: { inline: [mention], startInline: [start], childTokens: {}, renderers: {} },
  };
}

/** The longest of the names that `src` begins with after an `@`. */
function nameAt(src: string, names: readonly string[]): string | undefined {
  if (!src.startsWith("@")) return undefined;
  return names
    .filter(
      (name) => src.startsWith(name, 1) && !/^[\p{L}\p{N}_]/u.test(src.slice(name.length + 1)),
    )
    .sort((a, b) => b.length - a.length)[0];
}

function toBlocks(
  tokens: readonly Token[],
  mentioned: readonly Mentioned[],
  depth: number,
): Block[] {
  return tokens.flatMap((token) => toBlock(token, mentioned, depth) ?? []);
}

function toBlock(token: Token, mentioned: readonly Mentioned[], depth: number): Block | null {
  switch (token.type) {
    case "space":
    case "checkbox":
      return null;
    case "code":
      return { kind: "code", text: (token as Tokens.Code).text };
    case "blockquote":
      if (depth >= MAX_DEPTH) break;
      return { kind: "quote", blocks: toBlocks(token.tokens ?? [], mentioned, depth + 1) };
    case "list":
      if (depth >= MAX_DEPTH) break;
      return toList(token as Tokens.List, mentioned, depth + 1);
    case "paragraph":
    case "text":
      return { kind: "paragraph", children: toInlines(token.tokens ?? [token], mentioned) };
  }
  return { kind: "paragraph", children: [{ kind: "text", text: token.raw.trimEnd() }] };
}

function toList(list: Tokens.List, mentioned: readonly Mentioned[], depth: number): Block {
  return {
    kind: "list",
    start: list.ordered && typeof list.start === "number" ? list.start : null,
    items: list.items.map((item) => {
      const blocks = toBlocks(item.tokens, mentioned, depth);
      return item.task ? withBox(blocks, item.checked === true) : blocks;
    }),
  };
}

/** The box of a task, as typed: a text cannot be ticked by its readers. */
function withBox([first, ...others]: Block[], checked: boolean): Block[] {
  const box: Inline = { kind: "text", text: checked ? "[x] " : "[ ] " };
  if (first?.kind !== "paragraph")
    return [{ kind: "paragraph", children: [box] }, ...(first ? [first] : []), ...others];
  return [{ kind: "paragraph", children: [box, ...first.children] }, ...others];
}

function toInlines(tokens: readonly Token[], mentioned: readonly Mentioned[]): Inline[] {
  return tokens.flatMap((token) => toInline(token, mentioned) ?? []);
}

function toInline(token: Token, mentioned: readonly Mentioned[]): Inline | null {
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return { kind: token.type, children: toInlines(token.tokens ?? [], mentioned) };
    case "codespan":
      return { kind: "code", text: (token as Tokens.Codespan).text };
    case "br":
      return { kind: "break" };
    case "checkbox":
      return null;
    case "link":
      return toLink(token as Tokens.Link, mentioned);
    case "mention":
      return toMention(token as Tokens.Generic, mentioned);
    case "text":
    case "escape":
      return { kind: "text", text: (token as Tokens.Text).text };
  }
  return { kind: "text", text: token.raw };
}

function toLink(token: Tokens.Link, mentioned: readonly Mentioned[]): Inline {
  const link = safeLink(token.href, token.text);
  if (!link) return { kind: "text", text: token.raw };
  return { kind: "link", ...link, children: toInlines(token.tokens, mentioned) };
}

function toMention(token: Tokens.Generic, mentioned: readonly Mentioned[]): Inline {
  const found = mentioned.find(({ name }) => name === token.name);
  return found ? { kind: "mention", ...found } : { kind: "text", text: token.raw };
}
