// Replaces tokens, passwords and e-mail addresses in frames and bodies, for every log that a page shows.

const SECRETS: ReadonlyMap<string, string> = new Map([
  ["access", "<token>"],
  ["refresh", "<token>"],
  ["token", "<token>"],
  ["password", "<password>"],
  ["email", "<e-mail>"],
]);

/** JSON with the values of secret fields replaced; text that is no JSON only by its length. */
export function withoutSecrets(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), (key, value: unknown) =>
      typeof value === "string" && value !== "" ? (SECRETS.get(key) ?? value) : value,
    );
  } catch {
    return `(${text.length} characters that are not JSON)`;
  }
}
