// Texts that depend on a number.

export interface PluralForms {
  readonly one: string;
  readonly other: string;
  /** Languages with more forms than two use these. */
  readonly zero?: string;
  readonly two?: string;
  readonly few?: string;
  readonly many?: string;
}

export type Plural = (count: number, forms: PluralForms) => string;

/**
 * Chooses the form of a language for a number, and puts the number in place of each `#`. So a form holds no text
 * of people, which may have one too.
 */
export function pluralizer(tag: string): Plural {
  const rules = new Intl.PluralRules(tag);
  const numbers = new Intl.NumberFormat(tag);
  return (count, forms) =>
    (forms[rules.select(count)] ?? forms.other).replaceAll("#", numbers.format(count));
}
