// More people who write while a phone is away, so that a few hundred messages do not take minutes: the
// server takes one message a second of each person. They write over REST.
import { addMember } from "@colloquy/sdk/rest";

import type { Demonstration } from "../demonstration.ts";
import type { Line } from "../line/line.ts";
import { must } from "../result.ts";
import { demoAccount } from "./accounts.ts";
import { RestUser } from "./rest_user.ts";

const MOST_WRITERS = 10;

export class Writers {
  #people: RestUser[] = [];

  constructor(
    readonly demonstration: Demonstration,
    readonly line: Line,
    /** Whether accounts may be made. Otherwise the first phone's user writes. */
    readonly mayRegister: boolean,
  ) {}

  /** Makes the writers members of the conversation. One is enough where nothing slows a person down. */
  async gather(): Promise<void> {
    const { observer, conversationId, throttleMs } = this.demonstration;
    if (!this.mayRegister) this.#people = [observer];
    const size = throttleMs > 0 ? MOST_WRITERS : 1;
    while (this.#people.length < size && this.mayRegister) {
      const person = new RestUser(demoAccount("writer"), this.line);
      must(await person.register());
      must(await observer.ask((http) => addMember(http, conversationId, person.id)));
      this.#people.push(person);
    }
  }

  /** Writes `count` messages, as fast as the server takes them. `done` is called after each. */
  async write(count: number, done: (written: number) => void): Promise<void> {
    let [begun, written] = [0, 0];
    const writeOne = async (person: RestUser): Promise<void> => {
      while (begun < count) {
        begun++;
        const text = this.demonstration.nextText("A writer");
        await this.demonstration.acceptOverRest(person, text);
        done(++written);
      }
    };
    await Promise.all(this.#people.map(writeOne));
  }
}
