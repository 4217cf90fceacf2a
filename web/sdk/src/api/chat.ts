/** REST operations on conversations, messages and members. One function per operation. */
import { ok, type Result } from "../result.js";
import type {
  Conversation,
  ConversationSummary,
  CreateRequest,
  EditResponse,
  HistoryResponse,
  Member,
  MemberResponse,
  SendRequest,
  SendResponse,
} from "../wire/api.js";
import type { Http, HttpAnswer } from "./http.js";

/** A page of a list. `next` is what `cursor` of the following call takes; `null` at the end. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface PageQuery {
  limit?: number;
  cursor?: string;
}

/** At most one of `before`, `after` and `around`: a cursor, or a message's `number`. */
export interface HistoryQuery {
  limit?: number;
  before?: string | number;
  after?: string | number;
  around?: string | number;
}

export const listConversations = (
  http: Http,
  query: PageQuery = {},
): Promise<Result<Page<ConversationSummary>>> => list(http, CONVERSATIONS, query);

/** What the list shows of a conversation that was read as a whole. */
export function summaryOf({ messages, ...rest }: Conversation): ConversationSummary {
  const last = messages.at(-1) ?? null;
  return { ...rest, last_message: last, active_at: last?.timestamp ?? rest.created_at };
}

export const createConversation = (
  http: Http,
  body: CreateRequest,
): Promise<Result<Conversation>> => http.send({ method: "POST", path: CONVERSATIONS, body });

export const readConversation = (http: Http, id: number): Promise<Result<Conversation>> =>
  http.send({ method: "GET", path: conversation(id) });

export const listMessages = (
  http: Http,
  id: number,
  query: HistoryQuery = {},
): Promise<Result<HistoryResponse>> =>
  http.send({ method: "GET", path: `${conversation(id)}messages/${search({ ...query })}` });

export const sendMessage = (
  http: Http,
  id: number,
  body: SendRequest,
): Promise<Result<SendResponse>> =>
  http.send({ method: "POST", path: `${conversation(id)}messages/`, body });

export const editMessage = (
  http: Http,
  id: number,
  messageId: number,
  message: string,
): Promise<Result<EditResponse>> =>
  http.send({
    method: "PATCH",
    path: `${conversation(id)}messages/${messageId}/`,
    body: { message },
  });

export const deleteMessage = (http: Http, id: number, messageId: number): Promise<Result<void>> =>
  http.send({ method: "DELETE", path: `${conversation(id)}messages/${messageId}/` });

export const listMembers = (
  http: Http,
  id: number,
  query: PageQuery = {},
): Promise<Result<Page<Member>>> => list(http, `${conversation(id)}members/`, query);

export const addMember = (
  http: Http,
  id: number,
  userId: number,
): Promise<Result<MemberResponse>> =>
  http.send({ method: "POST", path: `${conversation(id)}members/`, body: { user_id: userId } });

export const removeMember = (http: Http, id: number, userId: number): Promise<Result<void>> =>
  http.send({ method: "DELETE", path: `${conversation(id)}members/${userId}/` });

const CONVERSATIONS = "/api/chat/conversations/";
const conversation = (id: number): string => `${CONVERSATIONS}${id}/`;

async function list<T>(http: Http, path: string, query: PageQuery): Promise<Result<Page<T>>> {
  const answer = await http.request({ method: "GET", path: path + search({ ...query }) });
  return answer.ok ? ok(toPage<T>(answer.value)) : answer;
}

function toPage<T>(answer: HttpAnswer): Page<T> {
  const next = /[?&]cursor=([^&]*)/.exec(answer.next ?? "")?.[1];
  return { items: answer.body as T[], next: next ? decodeURIComponent(next) : null };
}

function search(query: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return text.length ? `?${text.join("&")}` : "";
}
