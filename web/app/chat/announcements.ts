// What a screen reader says about messages of others while their conversation is open and has the focus:
// the first one at once, what follows within two seconds as a number.

const PAUSE_MS = 2_000;

export type Verbosity = "all" | "names" | "off";

export interface AnnouncedMessage {
  readonly sender: string;
  readonly text: string;
}

export interface AnnouncementTexts {
  message(sender: string, text: string): string;
  from(sender: string): string;
  several(count: number): string;
}

export class Announcements {
  #waiting: AnnouncedMessage[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly say: (text: string) => void,
    private readonly texts: () => AnnouncementTexts,
    private readonly verbosity: () => Verbosity,
  ) {}

  add(message: AnnouncedMessage): void {
    if (this.verbosity() === "off") return;
    this.#waiting.push(message);
    if (this.#timer === null) this.#flush();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = [];
  }

  #flush(): void {
    this.#timer = null;
    const [first, ...others] = this.#waiting;
    if (!first) return;
    this.#waiting = [];
    this.say(others.length === 0 ? this.#one(first) : this.texts().several(others.length + 1));
    this.#timer = setTimeout(() => this.#flush(), PAUSE_MS);
  }

  #one({ sender, text }: AnnouncedMessage): string {
    const texts = this.texts();
    return this.verbosity() === "names" ? texts.from(sender) : texts.message(sender, text);
  }
}
