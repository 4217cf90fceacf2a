// Accounts of the demonstration: made afresh for every visit. Their passwords are random and are forgotten
// with the page.

export interface Account {
  readonly username: string;
  readonly password: string;
}

export function demoAccount(name: string): Account {
  return { username: `demo-${name.toLowerCase()}-${random(8)}`, password: `p-${random(24)}` };
}

/** Letters and digits that are easy to read. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

function random(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  // 256 is no multiple of 31: the first letters are slightly likelier, which a name does not mind and a
  // password of this length does not either.
  return [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
