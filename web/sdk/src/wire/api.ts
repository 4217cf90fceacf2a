// Bodies and operations of the REST API.
// Generated from web/wire/openapi.json by `cargo xtask wire`; do not edit.

import type { ErrorCode } from "./socket.js";

/** A user to add. */
export interface AddMemberRequest {
  /** The user. */
  user_id: number;
}

/** The body of a 400: the invalid fields, or an error of the request as a whole. */
export type BadRequestBody = FieldErrorsBody | ErrorBody;

/** The limits of requests and frames. Those of frames are the same in `hello`. */
export interface ConfigLimits {
  /** Maximum characters per message. */
  message_chars: number;
  /** Maximum bytes per frame. */
  frame_bytes: number;
  /** Maximum commands per frame. */
  frame_commands: number;
  /** Maximum events per resume. */
  resume_events: number;
  /** Minimum milliseconds between two sends of a user in a conversation; 0 means unthrottled. */
  throttle_ms: number;
  /** Maximum bytes of a request's body. */
  body_bytes: number;
  /** Maximum members of a group. */
  group_members: number;
  /** Maximum participants named when a conversation is created. */
  new_participants: number;
  /** Maximum mentions per message. */
  mentions: number;
}

/** The server's version, and what it offers and allows. */
export interface ConfigResponse {
  /** The version of the server (Semantic Versioning). */
  version: string;
  /** `open` if anyone may register, `closed` if registrations are rejected. */
  registration: RegistrationPolicy;
  /** The functions this server has beyond the first version of the API, by name. */
  features: string[];
  /** The limits of requests and frames. */
  limits: ConfigLimits;
}

/** A conversation with its members and recent messages. */
export interface Conversation {
  /** Its id. */
  id: number;
  /** Direct or group. */
  kind: ConversationKind;
  /** The optional name of a group. */
  name: string | null;
  /** The first hundred members: the caller, then the others by id. */
  participants: User[];
  /** How many members it has. */
  member_count: number;
  /** The most recent messages, oldest first; at most 100. */
  messages: Message[];
  /** When it was created. */
  created_at: string;
  /** The position of its newest durable event. */
  seq: number;
  /** How many messages it has had. */
  number: number;
}

/** The kind of a conversation, fixed when it is created. */
export type ConversationKind = "direct" | "group";

/** A conversation as an entry of a list. */
export interface ConversationSummary {
  /** Its id. */
  id: number;
  /** Direct or group. */
  kind: ConversationKind;
  /** The optional name of a group. */
  name: string | null;
  /** The first hundred members: the caller, then the others by id. */
  participants: User[];
  /** How many members it has. */
  member_count: number;
  /** The newest message, if any. */
  last_message: Message | null;
  /** When it was created. */
  created_at: string;
  /** When the last activity in it was. */
  active_at: string;
  /** The position of its newest durable event. */
  seq: number;
  /** How many messages it has had. */
  number: number;
}

/** A new conversation. */
export interface CreateRequest {
  /** The ids of the other participants, at most 100; the caller's own and duplicates are ignored. */
  participants: number[];
  /** 1 to 120 characters; a conversation with a name is a group. */
  name?: string | null;
  /** `direct` or `group`; derived from the other fields when absent. */
  kind?: ConversationKind | null;
}

/** A message's new text. */
export interface EditRequest {
  /** 1 to 4,000 characters, not all white space. */
  message: string;
}

/** An edited message. */
export interface EditResponse {
  /** Its id. */
  id: number;
  /** Its text. */
  content: string;
  /** The position of the event; null when the message already had this text. */
  seq: number | null;
}

/** An error. */
export interface ErrorBody {
  /** A sentence for people. */
  detail: string;
  /** A stable code for programs. */
  code: ErrorCode;
  /** How long to wait, in milliseconds; with `throttled`. */
  retry_after_ms?: number;
  /** The request's id, as in `X-Request-Id`. */
  request_id: string;
}

/** The problems of each field: sentences under its name. */
export interface FieldErrorsBody {
  /** Always `invalid`. */
  code: string;
  /** The request's id, as in `X-Request-Id`. */
  request_id: string;
  [name: string]: string[] | string;
}

/** The health of the server's dependencies. */
export interface HealthResponse {
  /**
   * `healthy`, `degraded` (without the cache, slower) or `unhealthy` (the database cannot be
   * read and written).
   */
  status: string;
  /** Whether the database can be read and written. */
  database: boolean;
  /** Whether Redis responds; always true with the in-process cache. */
  redis: boolean;
  /** Why it is not healthy; absent otherwise. */
  reason?: string;
}

/** A page of a history. */
export interface HistoryResponse {
  /** The conversation. */
  conversation_id: number;
  /** Oldest first. */
  messages: Message[];
  /** Where the page was read: `redis`, `cache` (in this process) or `database`. */
  source: string;
  /** For the previous page; null on the first page. */
  next_before: string | null;
  /** For the next page; null on the last page. */
  next_after: string | null;
  /** The newest event when the page was read. */
  as_of_seq: number;
}

/** Credentials. */
export interface LoginRequest {
  /** In any case and composition. */
  username: string;
  /** The account's password. */
  password: string;
}

/** A new session. */
export interface LoginResponse {
  /** For the next pair of tokens. */
  refresh: string;
  /** For `Authorization: Bearer`. */
  access: string;
  /** The account. */
  user: User;
}

/** A member of a conversation. */
export interface Member {
  /** The account's id. */
  id: number;
  /** The username. */
  username: string;
  /** May be empty. */
  first_name: string;
  /** May be empty. */
  last_name: string;
  /** When the membership began. */
  joined_at: string;
}

/** A member. */
export interface MemberResponse {
  /** The user. */
  user_id: number;
}

/** A message as returned by the REST API. */
export interface Message {
  /** Its id. */
  id: number;
  /** The sender's id. */
  sender_id: number;
  /** The sender's username. */
  sender: string;
  /** The text; empty after the message was deleted. */
  content: string;
  /** When it was stored. */
  timestamp: string;
  /** The position of the event that created it. */
  seq: number;
  /** Its ordinal in the conversation. */
  number: number;
  /** The sender's idempotency key, if any. */
  client_message_id: string | null;
  /** The id of the message it replies to, if any. */
  reply_to: number | null;
  /** The ids of the mentioned users. */
  mentions: number[];
  /** 1 when sent, incremented by every edit and by the deletion. */
  version: number;
}

/** A refresh token. */
export interface RefreshRequest {
  /** From the login or the latest refresh. */
  refresh: string;
}

/** The next pair of tokens. */
export interface RefreshResponse {
  /** For `Authorization: Bearer`. */
  access: string;
  /**
   * Replaces the presented token, which returns the same pair for another 60 seconds, until this
   * one is used.
   */
  refresh: string;
}

/** A new account. */
export interface RegisterRequest {
  /** 1 to 150 letters, digits and `@.+-_`; unique in any case and composition. */
  username: string;
  /** Unique in any case and composition, its domain in Unicode or Punycode. */
  email: string;
  /** 8 characters to 256 bytes; not common, not all digits, not similar to the other fields. */
  password: string;
  /** At most 150 characters. */
  first_name?: string | null;
  /** At most 150 characters. */
  last_name?: string | null;
}

/** Who may create an account over the API. */
export type RegistrationPolicy = "open" | "closed";

/** A message to send. */
export interface SendRequest {
  /** 1 to 4,000 characters, not all white space. */
  message: string;
  /**
   * The client's id of the message: 1 to 64 printable ASCII characters. Repeating the request
   * with the same id returns the first result. The `Idempotency-Key` header is equivalent.
   */
  client_message_id?: string | null;
  /** The id of the message it replies to. */
  reply_to?: number | null;
  /** The ids of the mentioned users; at most 50. Users that are not members are dropped. */
  mentions?: number[] | null;
}

/** A stored message. */
export type SendResponse = Message & {
  /** Whether an earlier request stored it. */
  duplicate: boolean;
};

/** A state. */
export interface StatusResponse {
  /** `alive`, `ready` or `unready`. */
  status: string;
  /** Why it is not ready; absent otherwise. */
  reason?: string;
}

/** A user as returned by the API. */
export interface User {
  /** The account's id. */
  id: number;
  /**
   * As typed at registration. Unique: names that differ in case or in equivalent characters are
   * the same.
   */
  username: string;
  /** Unique like the username. */
  email: string;
  /** May be empty. */
  first_name: string;
  /** May be empty. */
  last_name: string;
}

/** Every operation: its request, its answer by status, and the body of every other status. */
export interface Operations {
  /** Register */
  register: {
    method: "POST";
    path: "/api/users/register/";
    body: RegisterRequest;
    answers: {
      /** The account */
      201: User;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Log in */
  login: {
    method: "POST";
    path: "/api/users/login/";
    body: LoginRequest;
    answers: {
      /** Tokens and the account */
      200: LoginResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Exchange a refresh token */
  refresh: {
    method: "POST";
    path: "/api/users/token/refresh/";
    body: RefreshRequest;
    answers: {
      /** The next pair of tokens */
      200: RefreshResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Log out */
  logout: {
    method: "POST";
    path: "/api/users/logout/";
    body: RefreshRequest;
    answers: {
      /** The session is revoked and its sockets are closed */
      205: undefined;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** The caller's own account */
  profile: {
    method: "GET";
    path: "/api/users/profile/";
    answers: {
      /** The account */
      200: User;
    };
    error: ErrorBody;
  };
  /** List the caller's conversations */
  listConversations: {
    method: "GET";
    path: "/api/chat/conversations/";
    parameters: {
      query: {
        /** The most conversations returned; 200 by default, and fewer when they exceed 512 KiB */
        limit?: number;
        /** The cursor of the next page, from the Link header */
        cursor?: string;
      };
    };
    answers: {
      /** Latest activity first */
      200: ConversationSummary[];
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Create a conversation */
  createConversation: {
    method: "POST";
    path: "/api/chat/conversations/";
    body: CreateRequest;
    answers: {
      /** The existing direct conversation of the two users */
      200: Conversation;
      /** The new conversation */
      201: Conversation;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** One conversation with its newest messages */
  readConversation: {
    method: "GET";
    path: "/api/chat/conversations/{id}/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
      };
    };
    answers: {
      /**
       * The conversation with its 100 newest messages, fewer when they exceed 512 KiB, and its first
       * 100 members
       */
      200: Conversation;
    };
    error: ErrorBody;
  };
  /** Read a history */
  listMessages: {
    method: "GET";
    path: "/api/chat/conversations/{id}/messages/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
      };
      query: {
        /** The most messages returned; 100 by default, and fewer when they exceed 512 KiB */
        limit?: number;
        /** A cursor or a message's number: the nearest older messages */
        before?: string;
        /** A cursor or a message's number: the nearest newer messages */
        after?: string;
        /** A cursor or a message's number: that message and its neighbours */
        around?: string;
      };
    };
    answers: {
      /** Oldest first; the newest messages without a parameter */
      200: HistoryResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Send a message */
  sendMessage: {
    method: "POST";
    path: "/api/chat/conversations/{id}/messages/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
      };
      header: {
        /** Equivalent to client_message_id */
        "Idempotency-Key"?: string;
      };
    };
    body: SendRequest;
    answers: {
      /** An earlier request with the same id stored it */
      200: SendResponse;
      /** The message is stored and being delivered to every member */
      201: SendResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Edit a message */
  editMessage: {
    method: "PATCH";
    path: "/api/chat/conversations/{id}/messages/{message_id}/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
        /** A message the caller sent */
        message_id: number;
      };
    };
    body: EditRequest;
    answers: {
      /** The message has this text; every member receives an event */
      200: EditResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Delete a message */
  deleteMessage: {
    method: "DELETE";
    path: "/api/chat/conversations/{id}/messages/{message_id}/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
        /** A message the caller sent */
        message_id: number;
      };
    };
    answers: {
      /** The text is deleted; every member receives an event */
      204: undefined;
    };
    error: ErrorBody;
  };
  /** List the members of a conversation */
  listMembers: {
    method: "GET";
    path: "/api/chat/conversations/{id}/members/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
      };
      query: {
        /** The most members returned; 100 by default */
        limit?: number;
        /** The cursor of the next page, from the Link header */
        cursor?: string;
      };
    };
    answers: {
      /** By id */
      200: Member[];
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Add a member to a group */
  addMember: {
    method: "POST";
    path: "/api/chat/conversations/{id}/members/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
      };
    };
    body: AddMemberRequest;
    answers: {
      /** The user already was a member */
      200: MemberResponse;
      /** The user is now a member; every member receives an event */
      201: MemberResponse;
    };
    error: BadRequestBody | ErrorBody;
  };
  /** Leave a group, or remove a member from it */
  removeMember: {
    method: "DELETE";
    path: "/api/chat/conversations/{id}/members/{user_id}/";
    parameters: {
      path: {
        /** The conversation */
        id: number;
        /** The caller, or any member if the caller created the group */
        user_id: number;
      };
    };
    answers: {
      /**
       * The user is no member any more: the user's sockets are closed, and every member receives an
       * event
       */
      204: undefined;
    };
    error: ErrorBody;
  };
  /**
   * The server's configuration.
   *
   * What a client must know before anyone logs in. Public; it may be cached for a minute.
   */
  config: {
    method: "GET";
    path: "/api/config/";
    answers: {
      /** The configuration */
      200: ConfigResponse;
    };
    error: undefined | ErrorBody;
  };
  /** Health of the server and its dependencies */
  health: {
    method: "GET";
    path: "/health/";
    answers: {
      /** `healthy`, or `degraded` when the cache is unavailable */
      200: HealthResponse;
    };
    error: ErrorBody | HealthResponse;
  };
  /** Liveness */
  live: {
    method: "GET";
    path: "/health/live/";
    answers: {
      /** The process responds */
      200: StatusResponse;
    };
    error: ErrorBody;
  };
  /** Readiness */
  ready: {
    method: "GET";
    path: "/health/ready/";
    answers: {
      /** The database can be read and written */
      200: StatusResponse;
    };
    error: ErrorBody | StatusResponse;
  };
  /**
   * This description.
   *
   * Every route with its parameters, bodies and responses.
   */
  openapi: {
    method: "GET";
    path: "/api/openapi.json";
    answers: {
      /** OpenAPI 3.1 */
      200: unknown;
    };
    error: undefined | ErrorBody;
  };
  /**
   * The description of the WebSocket protocol.
   *
   * Every frame in both directions with its schema, close codes, error codes and limits.
   */
  asyncapi: {
    method: "GET";
    path: "/api/asyncapi.json";
    answers: {
      /** AsyncAPI 3.0 */
      200: unknown;
    };
    error: undefined | ErrorBody;
  };
}

/** The id of an operation. */
export type OperationId = keyof Operations;

/** Method and path of every operation, and whether it needs an access token. */
export const OPERATIONS = {
  register: { method: "POST", path: "/api/users/register/", authenticated: false },
  login: { method: "POST", path: "/api/users/login/", authenticated: false },
  refresh: { method: "POST", path: "/api/users/token/refresh/", authenticated: false },
  logout: { method: "POST", path: "/api/users/logout/", authenticated: true },
  profile: { method: "GET", path: "/api/users/profile/", authenticated: true },
  listConversations: { method: "GET", path: "/api/chat/conversations/", authenticated: true },
  createConversation: { method: "POST", path: "/api/chat/conversations/", authenticated: true },
  readConversation: { method: "GET", path: "/api/chat/conversations/{id}/", authenticated: true },
  listMessages: {
    method: "GET",
    path: "/api/chat/conversations/{id}/messages/",
    authenticated: true,
  },
  sendMessage: {
    method: "POST",
    path: "/api/chat/conversations/{id}/messages/",
    authenticated: true,
  },
  editMessage: {
    method: "PATCH",
    path: "/api/chat/conversations/{id}/messages/{message_id}/",
    authenticated: true,
  },
  deleteMessage: {
    method: "DELETE",
    path: "/api/chat/conversations/{id}/messages/{message_id}/",
    authenticated: true,
  },
  listMembers: {
    method: "GET",
    path: "/api/chat/conversations/{id}/members/",
    authenticated: true,
  },
  addMember: { method: "POST", path: "/api/chat/conversations/{id}/members/", authenticated: true },
  removeMember: {
    method: "DELETE",
    path: "/api/chat/conversations/{id}/members/{user_id}/",
    authenticated: true,
  },
  config: { method: "GET", path: "/api/config/", authenticated: false },
  health: { method: "GET", path: "/health/", authenticated: false },
  live: { method: "GET", path: "/health/live/", authenticated: false },
  ready: { method: "GET", path: "/health/ready/", authenticated: false },
  openapi: { method: "GET", path: "/api/openapi.json", authenticated: false },
  asyncapi: { method: "GET", path: "/api/asyncapi.json", authenticated: false },
} as const satisfies {
  [Id in OperationId]: Pick<Operations[Id], "method" | "path"> & { authenticated: boolean };
};
