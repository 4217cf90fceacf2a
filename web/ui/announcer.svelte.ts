// What a screen reader says without a change of focus. There is one pair of live regions per page, so
// that two parts of it do not talk at once.

class Announcer {
  polite = $state("");
  assertive = $state("");

  /** Says `text` when the reader has finished its sentence, or at once if it is `urgent`. */
  say(text: string, urgent = false): void {
    const region = urgent ? "assertive" : "polite";
    // The same text twice is no change: a trailing no-break space makes it one.
    this[region] = this[region] === text ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();
