/**
 * REST bodies of the server's OpenAPI document, under the names they have there.
 *
 * Owns no behaviour. A field is added here when `/api/openapi.json` has it.
 */

/** A user. Another user's `email` is empty where the server does not show addresses. */
export interface User {
  id: number;
  username: string;
  email: string;
  first_name: string;
  last_name: string;
}

/** A message. `content` is empty after the message was deleted. */
export interface Message {
  id: number;
  sender_id: number;
  sender: string;
  content: string;
  timestamp: string;
  /** Position of its event in the conversation. */
  seq: number;
  /** Ordinal among the messages of the conversation; dense, from 1. */
  number: number;
  client_message_id?: string | null;
  reply_to?: number | null;
  mentions?: number[];
  /** 1 as sent; grows with every change. The highest version is the current text. */
  version: number;
}

export type ConversationKind = "direct" | "group";

/** A conversation as an entry of a list. */
export interface ConversationSummary {
  id: number;
  kind: ConversationKind;
  name?: string | null;
  /** The first hundred members: the caller, then the others by id. */
  participants: User[];
  member_count: number;
  created_at: string;
  active_at: string;
  seq: number;
  number: number;
  last_message?: Message | null;
}

/** A conversation with its newest messages, oldest first. */
export interface Conversation {
  id: number;
  kind: ConversationKind;
  name?: string | null;
  participants: User[];
  member_count: number;
  messages: Message[];
  created_at: string;
  seq: number;
  number: number;
}

export interface Member {
  id: number;
  username: string;
  first_name: string;
  last_name: string;
  joined_at: string;
}

/** A page of a history, oldest first. */
export interface HistoryResponse {
  conversation_id: number;
  messages: Message[];
  source: string;
  next_before?: string | null;
  next_after?: string | null;
  /** The newest event when the page was read. */
  as_of_seq: number;
}

export interface CreateRequest {
  participants: number[];
  name?: string | null;
  kind?: ConversationKind | null;
}

export interface SendRequest {
  message: string;
  client_message_id?: string | null;
  reply_to?: number | null;
  mentions?: number[] | null;
}

export interface SendResponse extends Message {
  duplicate: boolean;
}

export interface EditRequest {
  message: string;
}

/** `seq` is null if the message already had this text. */
export interface EditResponse {
  id: number;
  content: string;
  seq?: number | null;
}

export interface AddMemberRequest {
  user_id: number;
}

export interface MemberResponse {
  user_id: number;
}

export interface RegisterRequest {
  username: string;
  email: string;
  password: string;
  first_name?: string | null;
  last_name?: string | null;
}

export interface LoginRequest {
  username: string;
  password: string;
}

export interface LoginResponse {
  refresh: string;
  access: string;
  user: User;
}

export interface RefreshRequest {
  refresh: string;
}

export interface RefreshResponse {
  access: string;
  refresh: string;
}

export interface HealthResponse {
  status: string;
  database: boolean;
  redis: boolean;
  reason?: string | null;
}

export interface StatusResponse {
  status: string;
  reason?: string | null;
}
