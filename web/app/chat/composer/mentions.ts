// `@name` in a text that is being written: who it may become, and who it names in the end.
import { folded } from "../../people/names.ts";

export interface Person {
  readonly id: number;
  readonly username: string;
  /** How the person is shown. */
  readonly name: string;
}

export interface MentionQuery {
  /** The place of the `@`. */
  readonly start: number;
  readonly text: string;
}

/** The limit of the server. */
const MAX_MENTIONS = 50;
const MAX_SUGGESTIONS = 8;

/** The `@…` that ends at the caret, if there is one at the start of a word. */
export function mentionQuery(text: string, caret: number): MentionQuery | null {
  const found = /(^|[\s([{"'])@([\p{L}\p{N}@.+_-]{0,40})$/u.exec(text.slice(0, caret));
  if (!found) return null;
  const query = found[2] ?? "";
  return { start: caret - query.length - 1, text: query };
}

/** Members with a word that begins with the query; accents and case do not count. */
export function suggest(people: readonly Person[], query: string): readonly Person[] {
  const wanted = folded(query);
  const matches = people.filter(({ username, name }) =>
    [username, ...name.split(/\s+/)].some((word) => folded(word).startsWith(wanted)),
  );
  return matches.slice(0, MAX_SUGGESTIONS);
}

export interface Edit {
  readonly text: string;
  readonly caret: number;
}

/** The text with the query replaced by the name of a person. */
export function complete(text: string, query: MentionQuery, person: Person): Edit {
  const before = `${text.slice(0, query.start)}@${person.username} `;
  const after = text.slice(query.start + 1 + query.text.length).replace(/^ /, "");
  return { text: before + after, caret: before.length };
}

/** The ids of the members that a text names. */
export function mentionedIn(text: string, people: readonly Person[]): number[] {
  const named = new Set<number>();
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (isWordCharacter(text.charAt(at - 1))) continue;
    const person = namedAt(text.slice(at + 1), people);
    if (person) named.add(person.id);
  }
  return [...named].slice(0, MAX_MENTIONS);
}

/** The member whose name a text begins with. `@ann.b` names `ann.b`, also where there is an `ann`. */
function namedAt(text: string, people: readonly Person[]): Person | undefined {
  return people
    .filter(({ username }) => text.startsWith(username))
    .filter(({ username }) => !isWordCharacter(text.slice(username.length)))
    .sort((a, b) => b.username.length - a.username.length)[0];
}

const isWordCharacter = (text: string): boolean => /^[\p{L}\p{N}_]/u.test(text);
