// Colours for the few languages of the examples: strings, numbers, words of the language, comments. What it does not
// know it shows as plain text.

export type Language = "sh" | "js" | "json" | "text";

export interface Piece {
  readonly text: string;
  readonly kind?: "string" | "number" | "word" | "comment" | "key";
}

const STRING = String.raw`"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.)*'|\`[^\`]*\``;

const PATTERNS: Readonly<Record<Language, RegExp | null>> = {
  json: new RegExp(
    `(?<key>"[^"\\n]*"(?=:))|(?<string>${STRING})|(?<number>-?\\b\\d[\\d.]*)|(?<word>\\b(?:true|false|null)\\b)`,
    "g",
  ),
  js: new RegExp(
    `(?<comment>//[^\\n]*)|(?<string>${STRING})|(?<number>\\b\\d[\\d._]*\\b)|(?<word>\\b(?:await|const|else|for|from|function|if|import|let|new|null|of|return|throw|true|false)\\b)`,
    "g",
  ),
  sh: new RegExp(
    `(?<comment>(?<=^|\\s)#[^\\n]*)|(?<string>${STRING})|(?<word>\\b(?:curl|npx|cargo|echo|sed|for|in|do|done)\\b)`,
    "gm",
  ),
  text: null,
};

export function highlight(code: string, language: Language): Piece[] {
  const pattern = PATTERNS[language];
  if (!pattern) return [{ text: code }];
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of code.matchAll(pattern)) {
    if (match.index > end) pieces.push({ text: code.slice(end, match.index) });
    pieces.push({ text: match[0], kind: kindOf(match.groups) });
    end = match.index + match[0].length;
  }
  if (end < code.length) pieces.push({ text: code.slice(end) });
  return pieces;
}

function kindOf(
  groups: Readonly<Record<string, string | undefined>> | undefined,
): NonNullable<Piece["kind"]> {
  const [name] = Object.entries(groups ?? {}).find(([, text]) => text !== undefined) ?? ["word"];
  // The groups are named after the kinds.
  return name as NonNullable<Piece["kind"]>;
}
