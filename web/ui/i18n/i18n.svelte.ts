// The language of a page: its catalogue, its formats, and the `lang` and `dir` of the document.
//
// A catalogue is a module that exports an object of texts, and of functions that return texts. The English
// one is the type of the others, so a text that is missing in a language does not compile. English is
// part of the page; the others are loaded when they are chosen.

import { createFormat, type Format } from "./format.ts";
import { localeOf, type LocaleTag } from "./locales.ts";

export type Loaders<M> = Readonly<Record<Exclude<LocaleTag, "en">, () => Promise<M>>>;

export class I18n<M> {
  readonly #english: M;
  readonly #load: Loaders<M>;
  #tag = $state<LocaleTag>("en");
  #texts = $state.raw<M>() as M;
  #format = $state.raw<Format>(createFormat("en"));

  constructor(english: M, load: Loaders<M>) {
    this.#english = english;
    this.#load = load;
    this.#texts = english;
  }

  /** The texts. Reading them in a template follows the language. */
  get t(): M {
    return this.#texts;
  }

  get format(): Format {
    return this.#format;
  }

  get tag(): LocaleTag {
    return this.#tag;
  }

  /** Changes the language. The page keeps the old one until the new one is loaded. */
  async use(tag: LocaleTag): Promise<void> {
    const texts = tag === "en" ? this.#english : await this.#load[tag]();
    const locale = localeOf(tag);
    this.#tag = tag;
    this.#texts = texts;
    this.#format = createFormat(tag);
    document.documentElement.lang = tag;
    document.documentElement.dir = locale.dir;
  }
}
