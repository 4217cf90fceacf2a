// The list of members that opens while one types `@`: which are shown, and which one is chosen by the keys.
import { isComposing } from "../../../ui/ime.ts";
import { mentionQuery, suggest, type MentionQuery, type Person } from "./mentions.ts";

export class Suggestions {
  query = $state.raw<MentionQuery | null>(null);
  people = $state.raw<readonly Person[]>([]);
  active = $state(0);
  /** The query that was closed by Escape stays closed. */
  #dismissed: number | null = null;

  get open(): boolean {
    return this.people.length > 0;
  }

  /** The text or the caret changed. */
  update(text: string, caret: number, people: readonly Person[]): void {
    const query = mentionQuery(text, caret);
    if (query === null) this.#dismissed = null;
    if (query?.text !== this.query?.text) this.active = 0;
    this.query = query;
    const wanted = query !== null && query.start !== this.#dismissed;
    this.people = wanted ? suggest(people, query.text) : [];
  }

  close(): void {
    this.people = [];
  }

  #dismiss(): void {
    this.#dismissed = this.query?.start ?? null;
    this.close();
  }

  /** What a key does while the list is open: `"choose"` takes the active member. */
  key(event: KeyboardEvent): "choose" | "handled" | null {
    if (!this.open || isComposing(event)) return null;
    const count = this.people.length;
    switch (event.key) {
      case "ArrowDown":
        this.active = (this.active + 1) % count;
        return "handled";
      case "ArrowUp":
        this.active = (this.active - 1 + count) % count;
        return "handled";
      case "Enter":
      case "Tab":
        return "choose";
      case "Escape":
        this.#dismiss();
        return "handled";
      default:
        return null;
    }
  }
}
