/** The REST routes of a `FakeServer`. */
import type { SendRequest } from "../wire/api.js";
import type { FakeDatabase, Room } from "./fake_database.js";
import { Refusal } from "./fake_database.js";
import type { FakeAnswer, FakeRequest } from "./fake_network.js";
import type { FakeServer } from "./fake_server.js";

type Route = (call: Call) => FakeAnswer;

interface Call {
  server: FakeServer;
  database: FakeDatabase;
  /** The caller; 0 on routes without a token. */
  userId: number;
  ids: number[];
  query: URLSearchParams;
  // The bodies are those of this SDK.
  body: Record<string, unknown>;
}

export function answer(server: FakeServer, request: FakeRequest): FakeAnswer {
  try {
    const [path = "", search = ""] = request.path.split("?");
    for (const [method, pattern, route, open] of ROUTES) {
      const match = pattern.exec(path);
      if (!match || method !== request.method) continue;
      const call: Call = {
        server,
        database: server.database,
        userId: open ? 0 : server.authenticate(request.token).userId,
        ids: match.slice(1).map(Number),
        query: new URLSearchParams(search),
        body: (request.body ?? {}) as Record<string, unknown>,
      };
      return route(call);
    }
    throw new Refusal("not_found", 404);
  } catch (error) {
    if (error instanceof Refusal) return refusal(error);
    throw error;
  }
}

const refusal = ({ code, status, retryAfterMs }: Refusal): FakeAnswer => ({
  status,
  body: {
    detail: code,
    code,
    request_id: "fake",
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  },
});

const roomOf = ({ database, ids, userId }: Call): Room => database.room(ids[0] ?? 0, userId);

const C = "/api/chat/conversations/";
const U = "/api/users/";

const ROUTES: [string, RegExp, Route, boolean?][] = [
  ["POST", exact(`${U}register/`), register, true],
  ["POST", exact(`${U}login/`), login, true],
  ["POST", exact(`${U}token/refresh/`), refresh, true],
  ["POST", exact(`${U}logout/`), logout],
  ["GET", exact(`${U}profile/`), ({ database, userId }) => good(database.user(userId))],
  ["GET", exact(C), list],
  ["POST", exact(C), create],
  [
    "GET",
    exact(`${C}(\\d+)/`),
    (call) => good(call.database.conversation(roomOf(call), call.userId)),
  ],
  ["GET", exact(`${C}(\\d+)/messages/`), history],
  ["POST", exact(`${C}(\\d+)/messages/`), send],
  ["PATCH", exact(`${C}(\\d+)/messages/(\\d+)/`), edit],
  ["DELETE", exact(`${C}(\\d+)/messages/(\\d+)/`), remove],
  ["GET", exact(`${C}(\\d+)/members/`), (call) => good(call.database.membersOf(roomOf(call)))],
  ["POST", exact(`${C}(\\d+)/members/`), addMember],
  ["DELETE", exact(`${C}(\\d+)/members/(\\d+)/`), removeMember],
];

function exact(path: string): RegExp {
  return new RegExp(`^${path}$`);
}

function good(body?: unknown, status = 200): FakeAnswer {
  return body === undefined ? { status } : { status, body };
}

function register({ database, body }: Call): FakeAnswer {
  return good(database.addUser(String(body["username"]), String(body["password"])), 201);
}

function login({ server, database, body }: Call): FakeAnswer {
  const user = database.users.find(
    (each) => each.username === body["username"] && each.password === body["password"],
  );
  if (!user) throw new Refusal("bad_credentials", 401);
  return good({ ...server.open(user.id), user: database.user(user.id) });
}

function refresh({ server, body }: Call): FakeAnswer {
  return good(server.refresh(String(body["refresh"])));
}

function logout({ server, userId, body }: Call): FakeAnswer {
  server.logout(userId, String(body["refresh"]));
  return good(undefined, 205);
}

function list({ database, userId, query }: Call): FakeAnswer {
  const limit = Number(query.get("limit") ?? 200);
  const start = Number(query.get("cursor") ?? 0);
  const rooms = [...database.rooms.values()]
    .filter((room) => room.members.has(userId))
    .sort((a, b) => (a.activeAt < b.activeAt ? 1 : a.activeAt > b.activeAt ? -1 : b.id - a.id));
  const page = rooms.slice(start, start + limit).map((room) => database.summary(room, userId));
  const more = rooms.length > start + limit;
  const link = `<?limit=${limit}&cursor=${start + limit}>; rel="next"`;
  return { ...good(page), ...(more ? { headers: { link } } : {}) };
}

function create({ database, userId, body }: Call): FakeAnswer {
  const others = (body["participants"] as number[]).filter((id) => id !== userId);
  for (const id of others) database.user(id);
  const known = database.rooms.size;
  const room = database.addRoom(userId, others, (body["name"] as string | undefined) ?? null);
  return good(database.conversation(room, userId), database.rooms.size > known ? 201 : 200);
}

function history(call: Call): FakeAnswer {
  const room = roomOf(call);
  const limit = Number(call.query.get("limit") ?? 100);
  const all = room.messages;
  const at = (name: string): number | null =>
    call.query.has(name) ? Number(call.query.get(name)) : null;
  let [start, end] = [Math.max(0, all.length - limit), all.length];
  const [before, after] = [at("before"), at("after")];
  if (before !== null) [start, end] = [Math.max(0, before - 1 - limit), before - 1];
  if (after !== null) [start, end] = [after, after + limit];
  const messages = all.slice(start, end).map((message) => ({ ...message }));
  return good({
    conversation_id: room.id,
    messages,
    source: "database",
    next_before: start > 0 ? String(start + 1) : null,
    next_after: end < all.length ? String(end) : null,
    as_of_seq: room.events.length,
  });
}

function send(call: Call): FakeAnswer {
  const body = call.body as unknown as SendRequest;
  const { message, duplicate } = call.server.append(roomOf(call), {
    userId: call.userId,
    id: String(body.client_message_id),
    text: body.message,
    replyTo: body.reply_to ?? null,
    mentions: body.mentions ?? [],
  });
  return good({ ...message, duplicate }, duplicate ? 200 : 201);
}

function edit(call: Call): FakeAnswer {
  const { ids, userId, body, server } = call;
  const text = String(body["message"]);
  const event = server.change(roomOf(call), userId, ids[1] ?? 0, text);
  return good({ id: ids[1], content: text, seq: event?.seq ?? null });
}

function remove(call: Call): FakeAnswer {
  call.server.change(roomOf(call), call.userId, call.ids[1] ?? 0, "");
  return good(undefined, 204);
}

function addMember(call: Call): FakeAnswer {
  const userId = Number(call.body["user_id"]);
  const event = call.server.member(roomOf(call), userId, "joined", call.userId);
  return good({ user_id: userId }, event ? 201 : 200);
}

function removeMember(call: Call): FakeAnswer {
  const room = roomOf(call);
  const userId = call.ids[1] ?? 0;
  if (userId !== call.userId && room.creator !== call.userId) throw new Refusal("forbidden", 403);
  call.server.member(room, userId, "left", call.userId);
  return good(undefined, 204);
}
