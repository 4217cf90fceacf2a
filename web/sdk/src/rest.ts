/**
 * The entry `@colloquy/sdk/rest`: one function per operation of the OpenAPI document, for programs
 * that need no connection. The client uses the same functions.
 */
import { Http, type HttpOptions } from "./api/http.js";
import { ok } from "./result.js";

export * from "./api/account.js";
export {
  addMember,
  createConversation,
  deleteMessage,
  editMessage,
  listConversations,
  listMembers,
  listMessages,
  readConversation,
  removeMember,
  sendMessage,
  type HistoryQuery,
  type Page,
  type PageQuery,
} from "./api/chat.js";
export * from "./api/server.js";
export type { Http, HttpOptions } from "./api/http.js";
export type { ChatError, ErrorCode, Result } from "./result.js";
export type * from "./wire/api.js";

/** A connection to the REST API; with `token`, as the user of this access token. */
export function rest(options: Omit<HttpOptions, "access"> & { token?: string }): Http {
  const { token, ...http } = options;
  return new Http(token ? { ...http, access: async () => ok(token) } : http);
}
