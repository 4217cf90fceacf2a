// The history of the conversation as the server returns it, read by a login of its own.
import { listMessages, type Message } from "@colloquy/sdk/rest";

import type { RestUser } from "../people/rest_user.ts";
import type { Row } from "./ledger.ts";

const PAGE = 100;

export class HistoryReader {
  #rows: readonly Row[] = [];

  constructor(
    readonly observer: RestUser,
    readonly conversationId: number,
  ) {}

  /** What was read last. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Reads everything again, since messages may have changed. Returns whether the server answered. */
  async readAll(): Promise<boolean> {
    let rows: Row[] = [];
    let before: string | null = null;
    do {
      const page = await this.#page(before === null ? {} : { before });
      if (!page) return false;
      rows = [...page.messages.map(toRow), ...rows];
      before = page.next_before ?? null;
    } while (before !== null);
    this.#rows = rows;
    return true;
  }

  /** Reads only messages that are new. */
  async readNew(): Promise<boolean> {
    for (;;) {
      const last = this.#rows.at(-1);
      if (!last) return this.readAll();
      const page = await this.#page({ after: last.number });
      if (!page) return false;
      this.#rows = [...this.#rows, ...page.messages.map(toRow)];
      if (!page.next_after || page.messages.length === 0) return true;
    }
  }

  async #page(query: { before?: string; after?: number }) {
    const answer = await this.observer.ask((http) =>
      listMessages(http, this.conversationId, { ...query, limit: PAGE }),
    );
    return answer.ok ? answer.value : null;
  }
}

const toRow = ({ seq, id, number, version, content }: Message): Row => ({
  seq,
  id,
  number,
  version,
  text: content,
});
