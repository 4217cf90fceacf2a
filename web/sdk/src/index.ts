/** The entry `@colloquy/sdk`. */
export * from "./types.js";
export type { ChatError, ClientErrorCode, ErrorCode, Result } from "./result.js";
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
  ServerErrorCode,
  ServerFrame,
} from "./wire/socket.js";
