// The current route, and the ways to change it. Each history entry remembers which entry of this page came
// before it, so that "back" leaves the page only if the page was opened there.
import { hrefOf, parentOf, parseRoute, type Route } from "./routes.ts";

interface EntryState {
  /** The fragment of the entry before this one; null for the first one of this page. */
  readonly from: string | null;
}

const isEntryState = (state: unknown): state is EntryState =>
  typeof state === "object" && state !== null && "from" in state;

class Router {
  #route = $state.raw<Route>(parseRoute(location.hash));
  #hash = location.hash || "#/";

  constructor() {
    if (!isEntryState(history.state)) this.#mark(null);
    addEventListener("popstate", () => this.#arrived());
  }

  get route(): Route {
    return this.#route;
  }

  /** Opens a route; with `replace` in place of the current history entry. */
  navigate(route: Route, { replace = false } = {}): void {
    const hash = hrefOf(route);
    if (hash === this.#hash) return;
    if (replace) history.replaceState(history.state, "", hash);
    else history.pushState({ from: this.#hash } satisfies EntryState, "", hash);
    this.#set(hash);
  }

  /** Goes to the parent of the current route: by the history if it is the entry before this one. */
  back(): void {
    const parent = parentOf(this.#route);
    const state: unknown = history.state;
    if (isEntryState(state) && state.from === hrefOf(parent)) history.back();
    else this.navigate(parent, { replace: true });
  }

  /** A link was followed or the history moved; `popstate` reports both. */
  #arrived(): void {
    const hash = location.hash || "#/";
    // A followed link has made an entry without a state.
    if (!isEntryState(history.state)) this.#mark(hash === this.#hash ? null : this.#hash);
    this.#set(hash);
  }

  #mark(from: string | null): void {
    history.replaceState({ from } satisfies EntryState, "");
  }

  #set(hash: string): void {
    this.#hash = hash;
    this.#route = parseRoute(hash);
  }
}

export const router = new Router();
