// Random texts for names, passwords and ids. They need no secure context, unlike `crypto.randomUUID`: the page also
// works over plain HTTP.

/** Letters and digits that are easy to read. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  // 256 is no multiple of 31: the first letters are slightly likelier, which a name does not mind and a
  // password or an id of this length does not either.
  return [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
