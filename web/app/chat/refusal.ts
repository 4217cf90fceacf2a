// What a pane says when the server does not let it into its conversation.
import type { StreamState } from "@colloquy/sdk";

import type { Messages } from "../i18n/en.ts";

export interface Refusal {
  readonly title: string;
  readonly hint: string;
  /** `ended`: there is nothing to write to. `waiting`: it is tried again. `broken`: a reload may help. */
  readonly kind: "ended" | "waiting" | "broken";
}

export function refusalOf(state: StreamState, texts: Messages["chat"]["refused"]): Refusal | null {
  if (state.name !== "refused") return null;
  switch (state.code) {
    case 4403:
      return { kind: "ended", title: texts.notMember, hint: texts.notMemberHint };
    case 4404:
      return { kind: "ended", title: texts.notFound, hint: texts.notFoundHint };
    case 4409:
      return { kind: "waiting", title: texts.tooManyPages, hint: texts.tooManyPagesHint };
    default:
      return { kind: "broken", title: texts.broken, hint: texts.brokenHint };
  }
}
