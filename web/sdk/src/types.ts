/**
 * The public surface: what `createClient` takes and returns.
 *
 * Data objects (`User`, `Message`, `ConversationSummary`, events) are those of the wire, with the
 * names the protocol has for their fields; everything the SDK itself defines is camelCase.
 */
import type {
  ChatStorage,
  Clock,
  Environment,
  Locks,
  TabChannel,
  WebSocketFactory,
} from "./platform/ports.js";
import type { Readable } from "./readable.js";
import type { ChatError, ErrorCode, Result } from "./result.js";
import type { ConversationSummary, Member, Message, RegisterRequest, User } from "./wire/api.js";
import type { DurableEvent, Limits, MemberEvent } from "./wire/socket.js";

export type ConversationId = number;
export type MessageId = number;
export type UserId = number;
/** Ends a hold. Calling it again has no effect. */
export type Release = () => void;

export interface ClientOptions {
  /** The server, such as `https://chat.example.com`. */
  baseUrl: string;
  tokens: TokenProvider;
  /** Default: memory. The queue then does not survive a reload. */
  storage?: ChatStorage;
  /** Default: the platform's. Node 20 has none: hand in the class of the package `ws`. */
  WebSocket?: WebSocketFactory;
  fetch?: typeof fetch;
  clock?: Clock;
  /** Uniform in [0, 1): jitter, not keys. */
  random?: () => number;
  /** Default: `navigator.locks`, otherwise locks within this process. */
  locks?: Locks;
  /** Default: that of the page, if there is one. `null`: none. */
  environment?: Environment | null;
  limits?: Partial<ClientLimits>;
  /** Receives what a developer wants to see. Never a text, a token or an address. */
  onLog?: (entry: LogEntry) => void;
}

/** Limits of the client itself; those of the server arrive in `hello`. */
export interface ClientLimits {
  /**
   * Sockets open at a time. Of more held conversations those held last are connected; the others
   * are `closed`, and the state of the client does not count them.
   */
  sockets: number;
  /** How long a released conversation stays connected, in milliseconds. */
  lingerMs: number;
  /** Rows of a timeline window. */
  windowRows: number;
  /** Rows that a window begins with, and after a burst begins again with. */
  firstRows: number;
  /** Rows that a window keeps while it follows new messages. Default: `windowRows`. */
  followedRows: number;
  /** Messages of a conversation kept in storage. */
  storedMessages: number;
  /** Conversations kept in storage, and conversations whose messages are. */
  storedConversations: number;
  /** How often the list of conversations is read while the page is visible, in milliseconds. */
  listRefreshMs: number;
}

export interface LogEntry {
  level: "debug" | "warn" | "error";
  /** A fixed name such as `socket.closed`. */
  event: string;
  fields: Readonly<Record<string, string | number | boolean | null>>;
}

export type TokenReason = "start" | "expiring" | "expired" | "refused";

export interface TokenProvider {
  /**
   * Returns an access token. Called by one flight at a time. A rejection is a failed attempt,
   * which is repeated with backoff; a rejection with a `SignedOutError` ends the login.
   */
  get(ask: { reason: TokenReason; signal: AbortSignal }): Promise<Token>;
  /** The server refused the login for good. */
  revoked?(code: "session_revoked" | "token_invalid"): void;
  /** Who is logged in, where the provider knows. Otherwise the client asks the server. */
  readonly user?: Readable<User | null>;
  /** Resolves when `user` is right. */
  readonly ready?: Promise<void>;
}

/** Tokens of a login with username and password, shared by the tabs of a browser. */
export interface PasswordTokens extends TokenProvider {
  /** Who is logged in; `null` without a login, or if storage is not read yet. */
  readonly user: Readable<User | null>;
  /** Resolves when storage is read: from then on `user` is right. */
  readonly ready: Promise<void>;
  /** Creates an account. Log in with it afterwards. */
  register(input: RegisterRequest): Promise<Result<User>>;
  login(username: string, password: string): Promise<Result<User>>;
  /** Ends the login here at once, and on the server if it answers. */
  logout(): Promise<void>;
}

export interface PasswordTokensOptions {
  baseUrl: string;
  /** Default: memory. The login then ends with the page. */
  storage?: ChatStorage;
  locks?: Locks;
  fetch?: typeof fetch;
  clock?: Clock;
  random?: () => number;
  /** Reports a login or logout to other tabs at once. Default: a `BroadcastChannel`. */
  channel?: TabChannel | null;
}

export interface Token {
  access: string;
  /** Milliseconds since 1970 by the client's clock, if known. */
  expiresAt?: number;
}

/** Thrown by a token provider when only a new login helps. */
export class SignedOutError extends Error {
  override readonly name = "SignedOutError";
  constructor(readonly code: SignedOutCode = "signed_out") {
    super("the login is over");
  }
}

export type SignedOutCode = Extract<
  ErrorCode,
  "signed_out" | "session_revoked" | "token_invalid" | "not_authenticated"
>;

/** Why an attempt failed. `code` is a close code, an error code, or a name of the client's own. */
export type WaitCause = number | ErrorCode | "silent" | "token";

export type ConnectionState =
  | { name: "idle" }
  | { name: "connecting" }
  /** Every held conversation that may have a socket (`ClientLimits`) is complete up to now. */
  | { name: "live" }
  | { name: "waiting"; attempt: number; retryAt: number; cause: WaitCause }
  /** Nothing answers, and the page reports no network or three attempts in a row failed. */
  | { name: "offline"; retryAt: number | null }
  | { name: "signed-out"; code: SignedOutCode }
  | { name: "stopped" };

export type StreamState =
  | { name: "closed" }
  | { name: "connecting" }
  | { name: "resuming" }
  | { name: "live" }
  | { name: "waiting"; attempt: number; retryAt: number; cause: WaitCause }
  | { name: "refused"; code: number; retryAt: number | null };

export interface Client {
  /** The connection as a whole: the worst of the list and of every held conversation. */
  readonly state: Readable<ConnectionState>;
  readonly user: Readable<User | null>;
  readonly conversations: ConversationList;
  readonly outbox: Outbox;
  /** Connects. After `signed-out` or `stop` it connects again. */
  start(): void;
  /** Closes sockets and writes what is pending to storage. The queue is kept. */
  stop(): Promise<void>;
  /** Tries to connect now; at most one attempt in two seconds. */
  reconnect(): void;
  /** The same object for the same id, for the life of the client. */
  conversation(id: ConversationId): Conversation;
  /** A direct conversation is found if there is one. A group is another one with every call. */
  createConversation(input: NewConversation): Promise<Result<Conversation>>;
  on<K extends keyof ClientEvents>(type: K, run: (event: ClientEvents[K]) => void): () => void;
  /** A snapshot for support: no text, no token, no name. */
  diagnostics(): Diagnostics;
}

export interface NewConversation {
  /** The other members. */
  participants: readonly UserId[];
  name?: string;
  kind?: "direct" | "group";
}

export interface ClientEvents {
  /**
   * A durable event was applied: live, or missed and now resumed. Each is reported once. After a gap
   * beyond one resume the timeline is read instead, and what was missed is not reported.
   */
  event: { conversationId: ConversationId; event: DurableEvent; live: boolean };
  /** The server does not let this user into the conversation any more, or it does not exist. */
  refused: { conversationId: ConversationId; code: number };
  "signed-out": { code: SignedOutCode };
}

/** The conversations read so far, latest activity first. */
export interface ConversationList extends Readable<readonly ConversationSummary[]> {
  /** Whether there are no further pages. */
  readonly complete: Readable<boolean>;
  /** Reads the next page. */
  more(): Promise<Result<void>>;
  /** Reads the first page again, as the client does by itself while the page is visible. */
  refresh(): Promise<Result<void>>;
}

export interface Conversation {
  readonly id: ConversationId;
  /** Name, kind and members; `null` until known. */
  readonly summary: Readable<ConversationSummary | null>;
  readonly state: Readable<StreamState>;
  /** The limits of the server; `null` before the first connection. */
  readonly limits: Readable<Limits | null>;
  readonly timeline: Timeline;
  readonly members: Members;
  /** Connects, and stays connected while it is held. */
  hold(): Release;
  /** Never throws and never waits: the echo row is visible at once. */
  send(input: SendInput | string): Outgoing;
  /** Changes an own message. Errors: `forbidden`, `conflict` if it is deleted, `invalid`, `throttled`. */
  edit(id: MessageId, text: string): Promise<Result<Edited>>;
  /** Deletes an own message permanently; again has no effect. Errors: `forbidden`, `throttled`. */
  remove(id: MessageId): Promise<Result<void>>;
}

export interface SendInput {
  text: string;
  replyTo?: MessageId;
  mentions?: readonly UserId[];
  /**
   * 1 to 64 printable ASCII characters without spaces. Default: 128 random bits. The same id twice is
   * the same item; with another text it fails with `conflict`.
   */
  clientMessageId?: string;
}

export interface Edited {
  id: MessageId;
  text: string;
  /** The position of the event; `null` if the message already had this text. */
  seq: number | null;
}

export interface Members {
  /** Members read so far, by id, kept current by the events of the conversation. */
  readonly list: Readable<readonly Member[]>;
  readonly complete: Readable<boolean>;
  /** Reads the next page. */
  more(): Promise<Result<void>>;
  /** Adds a user to a group. Errors: `invalid` for an unknown id, `conflict` if it is full or direct. */
  add(id: UserId): Promise<Result<void>>;
  /** Removes a member; with the own id: leaves. */
  remove(id: UserId): Promise<Result<void>>;
}

export interface Timeline {
  /** Rows in order, holes, edges; echo rows last. */
  readonly window: Readable<TimelineWindow>;
  /**
   * Moves the window towards older messages by `count` rows (60) and reads what is missing. After an
   * error what is missing is a hole.
   */
  earlier(count?: number): Promise<Result<void>>;
  /** The same towards newer messages. At the end the window follows what comes. */
  later(count?: number): Promise<Result<void>>;
  /** Moves the window to a message, by its `number`. */
  around(number: number): Promise<Result<void>>;
  /** Moves the window to the end and follows it. */
  latest(): Promise<Result<void>>;
  /** Keeps the rows of the window, however many messages come, until it reaches the end again. */
  detach(): void;
  /** Reads the messages of a hole. */
  fill(hole: HoleRow): Promise<Result<void>>;
  /** A message by its id, for quotes: a loaded one, or found on the server. `null`: there is none. */
  find(id: MessageId): Promise<Result<Message | null>>;
}

export interface TimelineWindow {
  readonly rows: readonly TimelineRow[];
  /** The first message of the conversation is in the window. */
  readonly atStart: boolean;
  /** The last message of the conversation is in the window. */
  readonly atEnd: boolean;
  /** New messages enter the window. */
  readonly following: boolean;
  /** The number of the newest message of the conversation, as far as known. */
  readonly lastNumber: number;
  /** Whether any page was read, from storage or from the server. */
  readonly loaded: boolean;
}

export type TimelineRow = MessageRow | MemberRow | HoleRow | EchoRow;

export interface MessageRow {
  readonly kind: "message";
  /** Stable for the life of the message; the same as that of its echo row. */
  readonly key: string;
  readonly message: Message;
  readonly own: boolean;
}

export interface MemberRow {
  readonly kind: "member";
  readonly key: string;
  readonly event: MemberEvent;
}

/** Messages that are known to exist and are not loaded. */
export interface HoleRow {
  readonly kind: "hole";
  readonly key: string;
  /** The first and last missing `number`. */
  readonly from: number;
  readonly to: number;
}

/** An own message that is not acknowledged yet. */
export interface EchoRow {
  readonly kind: "echo";
  readonly key: string;
  readonly outgoing: Outgoing;
}

export type OutgoingStatus = "queued" | "sending" | "sent" | "failed";

export interface Outgoing {
  readonly conversationId: ConversationId;
  readonly clientMessageId: string;
  readonly text: string;
  readonly replyTo: MessageId | null;
  readonly mentions: readonly UserId[];
  /** Milliseconds since 1970 by the client's clock. */
  readonly createdAt: number;
  readonly status: Readable<OutgoingStatus>;
  /** Why it failed; `null` unless `failed`. */
  readonly error: Readable<ChatError | null>;
  /** Whether it survives a reload. */
  readonly durable: Readable<boolean>;
  /**
   * Resolves when it is stored, has failed, was cancelled, or another user has logged in. Never
   * rejects. After `retry` it is a new promise.
   */
  readonly settled: Promise<Result<Sent>>;
  /** The server may have it: it can be sent again, and not be cancelled. */
  readonly mayBeStored: boolean;
  /** Sends a failed item again, under the same id. */
  retry(): void;
  /** Removes the item. `false` once it may be stored: then only its acknowledgement ends it. */
  cancel(): boolean;
}

export interface Sent {
  messageId: MessageId;
  seq: number;
  number: number;
  timestamp: string;
  /** An earlier transmission had stored it. */
  duplicate: boolean;
}

export interface Outbox {
  /** Everything that is not acknowledged, in the order of sending. */
  readonly items: Readable<readonly Outgoing[]>;
  /** Why items wait. Only with `storage` they are sent all the same, but would not survive a reload. */
  readonly paused: Readable<null | "offline" | "signed-out" | "storage">;
}

export interface Diagnostics {
  state: ConnectionState;
  /** Milliseconds since 1970. */
  since: number;
  queued: number;
  streams: readonly {
    conversationId: ConversationId;
    state: StreamState;
    epoch: string | null;
    seq: number | null;
    /** Server clock minus client clock, in milliseconds. */
    clockOffsetMs: number | null;
  }[];
}
