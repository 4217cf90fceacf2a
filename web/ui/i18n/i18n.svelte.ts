// The language of a page: its catalogue, its formats, and the `lang` and `dir` of the document.
//
// A catalogue is a module that exports an object of texts, and of functions that return texts. The English
// one is the type of the others, so a text that is missing in a language does not compile. English is
// part of the page; the others are loaded when they are chosen.

import { createFormat, type Format } from "./format.ts";
import { localeOf, regionalTag, type LocaleTag } from "./locales.ts";

export interface Catalogues<M> {
  readonly english: M;
  readonly load: Readonly<Record<Exclude<LocaleTag, "en">, () => Promise<M>>>;
}

/** `Entry`: the texts a page needs first. `Full`: those and the texts that are loaded later. */
export class I18n<Entry, Full extends Entry = Entry> {
  #catalogues: Catalogues<Entry>;
  /** Those that the texts are from. */
  #shown: Catalogues<Entry> | null = null;
  #tag = $state<LocaleTag>("en");
  /** The language that was chosen last, which may not be loaded yet. */
  #wanted: LocaleTag = "en";
  #texts = $state.raw<Entry>() as Entry;
  #format = $state.raw<Format>(createFormat("en"));

  constructor(catalogues: Catalogues<Entry>) {
    this.#catalogues = catalogues;
    this.#texts = catalogues.english;
  }

  /** The texts that are there from the start. Reading them in a template follows the language. */
  get entry(): Entry {
    return this.#texts;
  }

  /** All texts, once `complete` has resolved. */
  get t(): Full {
    // Only parts of a page that wait for `complete` read it.
    return this.#texts as Full;
  }

  get format(): Format {
    return this.#format;
  }

  get tag(): LocaleTag {
    return this.#tag;
  }

  /** Changes the language. The page keeps the old one until the new one is loaded. */
  async use(tag: LocaleTag): Promise<void> {
    const catalogues = this.#catalogues;
    this.#wanted = tag;
    const texts = await this.#load(tag).catch((error: unknown) => {
      if (this.#wanted === tag) this.#wanted = this.#tag;
      throw error;
    });
    // By now another language was chosen, or `complete` has asked for more texts of this one.
    if (tag !== this.#wanted || catalogues !== this.#catalogues) return;
    this.#texts = texts;
    this.#shown = catalogues;
    this.#tag = tag;
    this.#format = createFormat(regionalTag(tag, navigator.languages));
    document.documentElement.lang = tag;
    document.documentElement.dir = localeOf(tag).dir;
  }

  /** Adds the later texts. If their language cannot be loaded, they are English. */
  async complete(catalogues: Catalogues<Full>): Promise<void> {
    this.#catalogues = catalogues;
    // Again if another language was chosen while this one was loaded.
    while (this.#shown !== catalogues) await this.use(this.#wanted).catch(() => this.use("en"));
  }

  async #load(tag: LocaleTag): Promise<Entry> {
    const { english, load } = this.#catalogues;
    return tag === "en" ? english : load[tag]();
  }
}
