// Sections of the repository's documents as HTML, at build time. The page has no text of its own where a document
// has one: README, docs/protocol.md and docs/clients.md are the sources.
//
// Runs at build time only: nothing of it, and no string that becomes HTML, is part of the page's scripts.
import { Marked, type Tokens } from "marked";

import { highlight, type Language } from "../model/highlight.ts";

/** The text below a heading, without the heading, to the next one of the same or a higher level. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const level = levelOf(heading);
  const isEnd = (line: string) => levelOf(line) > 0 && levelOf(line) <= level;
  const length = withoutCode(lines.slice(start + 1)).findIndex(isEnd);
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join("\n");
}

const levelOf = (line: string): number => /^(#+) /.exec(line)?.[1]?.length ?? 0;

/** A `#` inside a code block is a comment and no heading. */
function withoutCode(lines: readonly string[]): string[] {
  let isCode = false;
  return lines.map((line) => {
    if (line.startsWith("```")) isCode = !isCode;
    return isCode ? "" : line;
  });
}

/** Text before the first heading. */
export const introOf = (section: string): string => section.split(/^#+ /m)[0] ?? "";

export interface Rule {
  readonly title: string;
  readonly markdown: string;
}

/** The entries of a list in which each begins with a title in bold: `- **Tokens.** …`. */
export function rulesIn(section: string): Rule[] {
  const entries = section.matchAll(/^- \*\*(.+?)\.\*\* (.+(?:\n {2}.+)*)/gm);
  return [...entries].map(([, title = "", markdown = ""]) => ({ title, markdown }));
}

export interface RenderOptions {
  /** Put before the ids of headings. */
  readonly prefix: string;
  /** How much deeper a heading is on the page than in the document. */
  readonly deeper: number;
  /** Targets of links on this page, by their target in the document. Other links become plain text. */
  readonly links: Readonly<Record<string, string>>;
}

export const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");

export function toHtml(markdown: string, options: RenderOptions): string {
  const marked = new Marked({ renderer: rendererOf(options) });
  return marked.parse(markdown.replace(/<!--[\s\S]*?-->/g, ""), { async: false });
}

function rendererOf({ prefix, deeper, links }: RenderOptions) {
  return {
    heading(this: Renderer, { tokens, depth, text }: Tokens.Heading): string {
      const level = Math.min(depth + deeper, 6);
      const id = `${prefix}.${slug(text.replace(/^\d+\. /, ""))}`;
      const anchor = `<a class="anchor" href="#${id}" aria-hidden="true" tabindex="-1">#</a>`;
      return `<h${level} id="${id}" data-kind="section">${this.parser.parseInline(tokens)}${anchor}</h${level}>\n`;
    },
    code: ({ text, lang }: Tokens.Code): string => codeHtml(text, languageOf(lang)),
    link(this: Renderer, { href, tokens }: Tokens.Link): string {
      const text = this.parser.parseInline(tokens);
      if (/^https?:/.test(href)) return `<a href="${escape(href)}" rel="noreferrer">${text}</a>`;
      const target = links[href];
      return target === undefined ? text : `<a href="${escape(target)}">${text}</a>`;
    },
    table(this: Renderer, token: Tokens.Table): string {
      const inline = ({ tokens }: Tokens.TableCell) => this.parser.parseInline(tokens);
      const head = token.header.map((cell) => `<th>${inline(cell)}</th>`).join("");
      // On a narrow window a row is a list, in which each value has the title of its column.
      const label = (column: number) => `data-label="${escape(token.header[column]?.text ?? "")}"`;
      const rows = token.rows.map((row) => {
        const cells = row.map((cell, column) => `<td ${label(column)}>${inline(cell)}</td>`);
        return `<tr>${cells.join("")}</tr>`;
      });
      const body = `<tbody>${rows.join("")}</tbody>`;
      return `<div class="table"><table><thead><tr>${head}</tr></thead>${body}</table></div>\n`;
    },
    // A check list to read. Boxes that cannot be checked would only be noise.
    checkbox: (): string => "",
  };
}

interface Renderer {
  readonly parser: { parseInline(tokens: readonly unknown[]): string };
}

const LANGUAGES: Readonly<Record<string, Language>> = {
  sh: "sh",
  js: "js",
  ts: "js",
  json: "json",
};

const languageOf = (lang: string | undefined): Language => LANGUAGES[lang ?? ""] ?? "text";

function codeHtml(code: string, language: Language): string {
  const pieces = highlight(code, language).map(({ text, kind }) =>
    kind ? `<span class="${kind}">${escape(text)}</span>` : escape(text),
  );
  return `<div class="code"><pre><code>${pieces.join("")}</code></pre></div>\n`;
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
