// The index of the search, read from the page: every element with `data-kind` is an entry. So whatever the page
// shows can be found, and nothing has to be listed twice.

export interface Entry {
  readonly id: string;
  readonly kind: string;
  /** What it is called, such as a field's name or an operation's title. */
  readonly label: string;
  /** What it belongs to, or its path. */
  readonly context: string;
  /** The words of both, for comparison. */
  readonly words: readonly string[];
}

export function entriesOf(page: ParentNode): Entry[] {
  return [...page.querySelectorAll<HTMLElement>("[data-kind]")].map((element) => {
    const kind = element.dataset["kind"] ?? "";
    const label = labelOf(element);
    const context = contextOf(element, kind);
    return { id: element.id, kind, label, context, words: wordsOf(`${label} ${context}`) };
  });
}

function labelOf(element: HTMLElement): string {
  const named = element.matches("h1, h2, h3, h4, h5, h6")
    ? element
    : element.querySelector("h1, h2, h3, h4, a");
  return (named?.textContent ?? "").replace(/#$/, "").trim();
}

function contextOf(element: HTMLElement, kind: string): string {
  if (kind === "operation") return element.querySelector(".endpoint")?.textContent?.trim() ?? "";
  if (kind === "error code" || kind === "close code") {
    return element.querySelector("td:nth-child(2)")?.textContent ?? "";
  }
  if (kind !== "field") return "";
  const owner = element.parentElement?.closest<HTMLElement>("[data-kind]");
  return owner ? labelOf(owner) : "";
}

/** `client_message_id`, `auth.expiring` and `sendMessage` are found by each of their words, and as a whole. */
export function wordsOf(text: string): string[] {
  const parts = text.split(/[\s/{}]+/).filter(Boolean);
  const words = parts.flatMap((part) => [
    part,
    ...part.split(/[^\p{L}\p{N}]+|(?<=\p{Ll})(?=\p{Lu})/u),
  ]);
  return [...new Set(words.map((word) => word.toLowerCase()).filter(Boolean))];
}

/** The entries of which every word asked for is the beginning of a word; the best first. */
export function find(entries: readonly Entry[], query: string): Entry[] {
  const asked = query
    .toLowerCase()
    .split(/[\s/{}]+/)
    .filter(Boolean);
  if (asked.length === 0) return [];
  const found = entries.filter(({ words }) =>
    asked.every((word) => words.some((one) => one.startsWith(word))),
  );
  const whole = query.trim().toLowerCase();
  const ranked = found.map((entry, position) => ({ entry, position, rank: rankOf(entry, whole) }));
  return ranked
    .sort((a, b) => a.rank - b.rank || a.position - b.position)
    .map(({ entry }) => entry);
}

/** The whole name, its beginning, one of its words, or only what it belongs to. Fields are many and come last. */
function rankOf({ label, kind }: Entry, query: string): number {
  const name = label.toLowerCase();
  const isWord = wordsOf(label).some((word) => word.startsWith(query));
  const match = name === query ? 0 : name.startsWith(query) ? 1 : isWord ? 2 : 3;
  return match * 2 + (kind === "field" ? 1 : 0);
}
