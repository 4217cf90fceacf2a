// What a person has not seen: the count of the button "3 new", and where the divider is. Seen is what
// arrived while the end of the timeline was on the screen of a window that had the focus.

export class Unread {
  /** The newest message a person has seen. `null` until the first window. */
  #seen: number | null = null;
  #divider: number | null = null;
  #away = false;

  /** The `number` of the first unread message, below the divider. */
  get divider(): number | null {
    return this.#divider;
  }

  /** The first message not seen; `null` if there is none. */
  first(lastNumber: number): number | null {
    return this.#seen !== null && lastNumber > this.#seen ? this.#seen + 1 : null;
  }

  count(lastNumber: number): number {
    return this.#seen === null ? 0 : Math.max(0, lastNumber - this.#seen);
  }

  /** The timeline shows messages up to `lastNumber`, and its end is visible or not. */
  shown(lastNumber: number, endVisible: boolean): void {
    this.#seen ??= lastNumber;
    // Another history of the database may be shorter.
    if (lastNumber < this.#seen) this.#seen = lastNumber;
    if (this.#away) this.#divide(lastNumber);
    else if (endVisible) this.#seen = lastNumber;
  }

  /** The window lost the focus, or is hidden. What comes from now on is new on return. */
  left(): void {
    this.#away = true;
  }

  /** The window has the focus again, and the conversation has messages up to `lastNumber`. */
  returned(lastNumber: number): void {
    this.#divide(lastNumber);
    this.#away = false;
  }

  /** The person wrote something, and so has read what is above. */
  sent(): void {
    this.#divider = null;
  }

  #divide(lastNumber: number): void {
    if (this.#seen !== null && lastNumber > this.#seen) this.#divider = this.#seen + 1;
  }
}
