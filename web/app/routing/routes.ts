// The addresses of the client. They are fragments, so the server needs no rule for them and the ids of
// conversations stay out of its logs.

export type Route =
  | { readonly name: "home" }
  | { readonly name: "login" }
  | { readonly name: "register" }
  /** With `personId`: a link that someone has sent to start a conversation with them. */
  | { readonly name: "create"; readonly personId: number | null }
  | { readonly name: "chat"; readonly conversationId: number; readonly pane: ChatPane }
  | { readonly name: "settings" }
  | { readonly name: "connection" }
  | { readonly name: "unknown"; readonly path: string };

export type ChatPane = "timeline" | "details";

/** Routes that show the same without a login. */
export const isPublic = (route: Route): boolean =>
  route.name === "home" || route.name === "login" || route.name === "register";

export function parseRoute(hash: string): Route {
  const path = hash.replace(/^#\/?/, "").replace(/\/$/, "");
  const [name = "", argument, pane, ...rest] = path.split("/");
  const unknown: Route = { name: "unknown", path };
  if (rest.length > 0) return unknown;
  if (name === "c") return chatRoute(argument, pane) ?? unknown;
  if (pane !== undefined) return unknown;
  if (name === "new") {
    if (argument === undefined) return { name: "create", personId: null };
    const personId = parseId(argument);
    return personId === null ? unknown : { name: "create", personId };
  }
  if (argument !== undefined) return unknown;
  if (name === "") return { name: "home" };
  if (name === "login" || name === "register" || name === "settings" || name === "connection") {
    return { name };
  }
  return unknown;
}

function chatRoute(id: string | undefined, pane: string | undefined): Route | null {
  const conversationId = parseId(id ?? "");
  if (conversationId === null) return null;
  if (pane === undefined) return { name: "chat", conversationId, pane: "timeline" };
  return pane === "details" ? { name: "chat", conversationId, pane } : null;
}

/** An id of the server: a positive integer that JSON can carry. */
export function parseId(text: string): number | null {
  if (!/^[1-9]\d{0,15}$/.test(text)) return null;
  const id = Number(text);
  return Number.isSafeInteger(id) ? id : null;
}

export function hrefOf(route: Route): string {
  switch (route.name) {
    case "home":
      return "#/";
    case "create":
      return route.personId === null ? "#/new" : `#/new/${route.personId}`;
    case "chat":
      return `#/c/${route.conversationId}${route.pane === "details" ? "/details" : ""}`;
    case "unknown":
      return `#/${route.path}`;
    default:
      return `#/${route.name}`;
  }
}

/** The address of a conversation. */
export const chatHref = (conversationId: number): string =>
  hrefOf({ name: "chat", conversationId, pane: "timeline" });

/** Where "back" leads if the page was opened at this route. */
export function parentOf(route: Route): Route {
  return route.name === "chat" && route.pane === "details"
    ? { ...route, pane: "timeline" }
    : { name: "home" };
}
