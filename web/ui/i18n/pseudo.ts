// The pseudo locale: a catalogue whose texts run from right to left and are a third longer, made from the
// English one. What still reads from left to right is not in the catalogue.

const RTL_OVERRIDE = "\u202e";
const POP = "\u202c";

const reversed = (text: string): string =>
  `${RTL_OVERRIDE}${text}${"·".repeat(Math.ceil(text.length / 3))}${POP}`;

/** The catalogue with every text reversed, also those that its functions return. */
export function pseudoCatalogue<M>(english: M): M {
  return transform(english) as M;
}

function transform(value: unknown): unknown {
  if (typeof value === "string") return reversed(value);
  if (typeof value === "function") return (...args: unknown[]) => transform(value(...args));
  if (Array.isArray(value)) return value.map(transform);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, transform(inner)]));
}
