/** The entry `@colloquy/sdk`. */
export { createClient } from "./client.js";
export { processLocks } from "./platform/locks.js";
export { passwordTokens } from "./session/password_tokens.js";
export { countUnsent, forgetUser } from "./storage/forget.js";
export { memoryStorage } from "./storage/memory.js";
export * from "./types.js";
export type { ChatError, ClientErrorCode, ErrorCode, Result, ServerErrorCode } from "./result.js";
export { type Readable } from "./readable.js";
export type {
  ChatStorage,
  Clock,
  Environment,
  EnvironmentEvent,
  Locks,
  StorageChange,
  TabChannel,
  WebSocketFactory,
  WebSocketLike,
} from "./platform/ports.js";
export type {
  ConversationKind,
  ConversationSummary,
  Member,
  Message,
  RegisterRequest,
  User,
} from "./wire/api.js";
export type {
  DeletedEvent,
  DurableEvent,
  EditedEvent,
  Limits,
  MemberEvent,
  MessageEvent,
  ServerFrame,
} from "./wire/socket.js";
