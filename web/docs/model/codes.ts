// The error codes an answer may have. The documents give each code its status; where one status has several
// codes, what an operation asks for decides which of them apply.
import type { ErrorCode } from "./asyncapi.ts";
import type { Answer, Operation } from "./openapi.ts";

/** Codes that only frames or upgrades have. */
const SOCKET_ONLY = new Set(["unknown_type", "upgrade_required"]);

/** Operations that are limited by attempts and not by a budget. */
const ATTEMPTS = new Set(["register", "login"]);

/** Operations that some members may do and others may not, or that the server may not offer. */
const RESTRICTED = new Set(["register", "editMessage", "deleteMessage", "removeMember"]);

export function codesOf(operation: Operation, answer: Answer, all: readonly ErrorCode[]): string[] {
  // A body without a code, such as that of a health check.
  if (!hasCode(answer)) return [];
  const codes = all.filter(
    ({ status, code }) => status === answer.status && !SOCKET_ONLY.has(code),
  );
  return codes.map(({ code }) => code).filter((code) => applies(code, operation));
}

const hasCode = (answer: Answer): boolean =>
  typeof answer.example === "object" && answer.example !== null && "code" in answer.example;

function applies(code: string, { id, path, authenticated }: Operation): boolean {
  switch (code) {
    case "not_member":
      return path.includes("{id}");
    case "forbidden":
      return RESTRICTED.has(id);
    case "bad_credentials":
      return id === "login";
    case "not_authenticated":
      return authenticated;
    case "token_invalid":
    case "token_expired":
    case "session_revoked":
      return id !== "login";
    case "too_many_attempts":
      return ATTEMPTS.has(id);
    case "throttled":
      return !ATTEMPTS.has(id);
    default:
      return true;
  }
}
