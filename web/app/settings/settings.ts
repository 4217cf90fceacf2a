// What a person sets for this browser, and how it is stored.
import { isLocaleTag, type LocaleTag } from "../../ui/i18n/locales.ts";

export interface Settings {
  readonly scheme: "system" | "light" | "dark";
  /** `system`: the language of the browser. */
  readonly locale: "system" | LocaleTag;
  /** The key that sends a message. */
  readonly sendWith: "enter" | "ctrl-enter";
  /** Whether a single letter acts on the focused message (WCAG 2.1.4). */
  readonly singleKeys: boolean;
  /** What screen readers announce of new messages. */
  readonly announce: "all" | "names" | "off";
  /** Width of the list of conversations, in pixels. */
  readonly listWidth: number;
}

export const LIST_WIDTH = { least: 280, usual: 320, most: 400 } as const;

export const DEFAULTS: Settings = {
  scheme: "system",
  locale: "system",
  sendWith: "enter",
  singleKeys: true,
  announce: "all",
  listWidth: LIST_WIDTH.usual,
};

const oneOf = <T>(value: unknown, allowed: readonly T[], fallback: T): T =>
  allowed.find((candidate) => candidate === value) ?? fallback;

/** Reads stored settings. A value that is missing or unknown has its default. */
export function parseSettings(json: string | null): Settings {
  const stored = parseObject(json);
  const { listWidth, locale, singleKeys } = stored;
  return {
    scheme: oneOf(stored["scheme"], ["system", "light", "dark"], DEFAULTS.scheme),
    locale: isLocaleTag(locale) ? locale : DEFAULTS.locale,
    sendWith: oneOf(stored["sendWith"], ["enter", "ctrl-enter"], DEFAULTS.sendWith),
    singleKeys: typeof singleKeys === "boolean" ? singleKeys : DEFAULTS.singleKeys,
    announce: oneOf(stored["announce"], ["all", "names", "off"], DEFAULTS.announce),
    listWidth: typeof listWidth === "number" ? clampWidth(listWidth) : DEFAULTS.listWidth,
  };
}

export const clampWidth = (width: number): number =>
  Math.round(Math.max(LIST_WIDTH.least, Math.min(width, LIST_WIDTH.most)));

function parseObject(json: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json ?? "{}");
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
