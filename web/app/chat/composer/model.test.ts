import type { ChatStorage, Message, Result } from "@colloquy/sdk";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { completeTexts } from "../../i18n/index.ts";
import { Drafts } from "../../session/drafts.ts";
import type { ChatState, Mode } from "../chat.svelte.ts";
import { ComposerModel } from "./model.svelte.ts";

const message = { id: 5, content: "old" } as Message;
const EDIT: Mode = { name: "edit", message };

let model: ComposerModel;
let drafts: Drafts;
let chat: ChatState;
let answer: (result: Result<{ id: number }>) => void;
let edits: string[];

beforeAll(async () => {
  vi.stubGlobal("document", { documentElement: {} });
  vi.stubGlobal("navigator", { languages: ["en"] });
  await completeTexts();
});

beforeEach(() => {
  const storage: ChatStorage = {
    get: async () => null,
    list: async () => [],
    write: async () => {},
  };
  drafts = new Drafts(storage, 1);
  edits = [];
  const state = {
    drafts,
    people: [],
    mode: { name: "write" } as Mode,
    conversation: {
      id: 7,
      send: () => undefined,
      edit: (_: number, text: string) => {
        edits.push(text);
        return new Promise((done) => (answer = done));
      },
    },
    cancel(): boolean {
      const ends = state.mode.name !== "write";
      state.mode = { name: "write" };
      return ends;
    },
  };
  // What the model uses of it.
  chat = state as unknown as ChatState;
  model = new ComposerModel(chat, () => 100);
});

afterEach(() => drafts.close());

/** As the component does after each change. */
function become(mode: Mode): void {
  chat.mode = mode;
  model.modeChanged(chat.mode);
  model.modeChanged(chat.mode);
}

function type(text: string): void {
  model.text = text;
  model.edited();
}

const SAVED = { ok: true, value: { id: 5 } } as const;
const REFUSED = {
  ok: false,
  error: { code: "network", message: "", retryable: true },
} as const;

test("an edit returns the text and the reply it has interrupted", () => {
  become({ name: "reply", to: 3 });
  type("answer");
  become(EDIT);
  expect(model.text).toBe("old");
  become({ name: "write" });
  expect([model.text, chat.mode]).toEqual(["answer", { name: "reply", to: 3 }]);
  model.leave();
  expect(drafts.get(7)).toEqual({ text: "answer", replyTo: 3 });
});

test("a reply that is chosen during an edit is the one that stays", () => {
  become({ name: "reply", to: 3 });
  type("answer");
  become(EDIT);
  become({ name: "reply", to: 4 });
  expect([model.text, chat.mode]).toEqual(["answer", { name: "reply", to: 4 }]);
});

test("what is typed while an edit is saved stays, to be saved next", async () => {
  become(EDIT);
  type("new");
  const saved = model.submit();
  type("new and more");
  answer(SAVED);
  await saved;
  model.modeChanged(chat.mode);
  expect([model.text, chat.mode.name]).toEqual(["new and more", "edit"]);
  type("old");
  void model.submit();
  expect(edits).toEqual(["new", "old"]);
});

test("an edit that is saved ends, one that is refused says why", async () => {
  become(EDIT);
  type("new");
  const refused = model.submit();
  answer(REFUSED);
  await refused;
  expect(model.error).toMatch(/could not be saved.*cannot be reached/);
  const saved = model.submit();
  answer(SAVED);
  await saved;
  model.modeChanged(chat.mode);
  expect([model.text, chat.mode.name]).toEqual(["", "write"]);
});

test("a draft is stored when the pane is left, and gone once the message is sent", async () => {
  type("hello");
  model.leave();
  expect(drafts.get(7)?.text).toBe("hello");
  await model.submit();
  model.modeChanged(chat.mode);
  model.leave();
  expect([model.text, drafts.get(7)]).toEqual(["", undefined]);
});

test("the composer follows the draft of another tab unless something was typed since", async () => {
  const unsubscribe = drafts.subscribe(() => model.draftChanged());
  type("hello");
  model.leave();
  await drafts.save(7, { text: "hello there", replyTo: 3 });
  expect([model.text, chat.mode]).toEqual(["hello there", { name: "reply", to: 3 }]);
  await drafts.save(7, { text: "", replyTo: null });
  expect([model.text, chat.mode.name]).toEqual(["", "write"]);
  type("sent");
  await model.submit();
  await drafts.save(7, { text: "next", replyTo: null });
  expect(model.text).toBe("next");
  type("mine");
  await drafts.save(7, { text: "theirs", replyTo: null });
  expect(model.text).toBe("mine");
  model.leave();
  expect(drafts.get(7)?.text).toBe("mine");
  unsubscribe();
});

test("an edit is not disturbed by the draft of another tab, which is there after it", async () => {
  const unsubscribe = drafts.subscribe(() => model.draftChanged());
  become(EDIT);
  await drafts.save(7, { text: "theirs", replyTo: null });
  expect(model.text).toBe("old");
  become({ name: "write" });
  expect(model.text).toBe("theirs");
  unsubscribe();
});

test("a draft that is read after the pane has opened is shown, and stays stored", async () => {
  model.modeChanged(chat.mode);
  await drafts.save(7, { text: "from before", replyTo: null });
  model.draftChanged();
  model.leave();
  expect([model.text, drafts.get(7)?.text]).toEqual(["from before", "from before"]);
});

test("an edit that is not saved is there again when the conversation is opened again", async () => {
  become({ name: "reply", to: 3 });
  type("answer");
  become(EDIT);
  type("new");
  model.leave();
  chat.mode = { name: "write" };
  model = new ComposerModel(chat, () => 100);
  expect([model.text, chat.mode]).toEqual(["new", EDIT]);
  become({ name: "write" });
  expect([model.text, chat.mode]).toEqual(["answer", { name: "reply", to: 3 }]);
  model.leave();
  expect(drafts.get(7)).toEqual({ text: "answer", replyTo: 3 });
});

test("an edit that is saved after the conversation was left does not return", async () => {
  become(EDIT);
  type("new");
  const saved = model.submit();
  model.leave();
  expect(drafts.get(7)?.edit?.text).toBe("new");
  answer(SAVED);
  await saved;
  expect(drafts.get(7)).toBeUndefined();
});

test("an edit that is saved in another tab ends in this one", async () => {
  const unsubscribe = drafts.subscribe(() => model.draftChanged());
  await drafts.save(7, { text: "", replyTo: null, edit: { message, text: "new" } });
  expect([model.text, chat.mode]).toEqual(["new", EDIT]);
  await drafts.save(7, { text: "", replyTo: null });
  expect([model.text, chat.mode.name]).toEqual(["", "write"]);
  unsubscribe();
});

test("a draft of another conversation does not disturb an edit that is being saved", async () => {
  const unsubscribe = drafts.subscribe(() => model.draftChanged());
  become(EDIT);
  type("new");
  model.leave();
  const saved = model.submit();
  await drafts.save(8, { text: "elsewhere", replyTo: null });
  expect([model.text, model.ready]).toEqual(["new", false]);
  answer(SAVED);
  await saved;
  expect([model.text, chat.mode.name]).toEqual(["", "write"]);
  unsubscribe();
});

test("an edit without a change is no draft", () => {
  become(EDIT);
  model.leave();
  expect(drafts.get(7)).toBeUndefined();
});
