// What the page says in words, from the documents of the repository. See markdown.ts.
import { introOf, rulesIn, sectionOf, slug, toHtml } from "./markdown.ts";

export interface TextRule {
  readonly id: string;
  readonly title: string;
  readonly html: string;
}

export interface Texts {
  /** What Colloquy is. */
  readonly intro: string;
  readonly tour: string;
  /** The start of the SDK. */
  readonly sdk: string;
  readonly authentication: readonly TextRule[];
  readonly rest: readonly TextRule[];
  readonly errors: string;
  readonly socket: string;
  readonly socketV1: string;
  readonly socketRules: string;
  readonly closes: string;
  readonly throttle: string;
  readonly budgets: string;
  readonly limits: string;
  readonly client: string;
}

/** Rules of REST that are shown where authentication is explained. */
const AUTHENTICATION = new Set(["Tokens", "Registration", "Rate limits"]);

/** Where a link of the documents leads on this page. */
const LINKS: Readonly<Record<string, string>> = {
  "#budgets": "#budgets",
  "clients.md": "#client",
  "protocol.md": "#rest",
  "docs/clients.md": "#client",
  "docs/protocol.md": "#rest",
};

/** The documents of the repository that the page quotes. */
export interface Sources {
  readonly readme: string;
  readonly protocol: string;
  readonly clients: string;
  readonly sdk: string;
}

export function readTexts({ readme, protocol, clients, sdk }: Sources): Texts {
  const html = (markdown: string, prefix = "text", deeper = 1) =>
    toHtml(markdown, { prefix, deeper, links: LINKS });
  const part = (heading: string) => sectionOf(protocol, heading);
  const rules = rulesIn(part("## REST")).map(({ title, markdown }) => ({
    id: `rule.${slug(title)}`,
    title,
    html: html(markdown),
  }));
  const closes = part("### Close codes").split(/^\|.*\n/m);
  return {
    intro: html(firstParagraph(introOf(sectionOf(readme, "# Colloquy")))),
    tour: html(sectionOf(readme, "## Five minutes").split("<!-- end of tour -->")[0] ?? "", "tour"),
    sdk: html(firstBlock(sectionOf(sdk, "## Start"))),
    authentication: rules.filter(({ title }) => AUTHENTICATION.has(title)),
    rest: rules.filter(({ title }) => !AUTHENTICATION.has(title)),
    errors: html(introOf(part("### Errors")).split(/^\|/m)[0] ?? ""),
    socket: html(introOf(part("## WebSocket"))),
    socketV1: html(part("### v1 frames")),
    socketRules: html(part("### Rules")),
    closes: html(closes.at(-1) ?? ""),
    throttle: html(part("### Throttle")),
    budgets: html(part("### Budgets")),
    limits: html(part("### Limits")),
    client: html(sectionOf(clients, "# Writing a client"), "client"),
  };
}

/** A picture at the top is no paragraph. */
const firstParagraph = (markdown: string): string =>
  markdown
    .trim()
    .split("\n\n")
    .find((part) => !part.startsWith("![")) ?? "";

const firstBlock = (markdown: string): string => /```ts\n[\s\S]*?\n```/.exec(markdown)?.[0] ?? "";
