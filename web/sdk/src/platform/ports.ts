/**
 * What the SDK needs of its platform, as interfaces. Everything outside the state machines (time,
 * randomness, sockets, HTTP, storage, locks, the state of the page) comes through these, so that
 * tests and unusual hosts replace them one by one.
 */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms`. Returns the function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** The part of a WebSocket the SDK uses. It never reads `readyState`. */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  // `any`: the event types of the DOM, `ws` and workerd have no common supertype that TypeScript
  // accepts as a parameter.
  addEventListener(type: any, listener: (event: any) => void): void;
}

/** The constructor of a WebSocket: that of the platform, or of the package `ws`. */
export type WebSocketFactory = new (url: string, protocols: string[]) => WebSocketLike;

/** A subset of the Web Locks API; `navigator.locks` is one. */
export interface Locks {
  request<T>(
    name: string,
    options: { ifAvailable?: boolean },
    run: (lock: unknown) => Promise<T>,
  ): Promise<T>;
}

/** What the page around the client reports. */
export interface Environment {
  online(): boolean;
  visible(): boolean;
  /** Calls `run` at every change. `resumed` means that the page may have been asleep. */
  listen(run: (event: EnvironmentEvent) => void): () => void;
}

export type EnvironmentEvent = "online" | "offline" | "visible" | "hidden" | "resumed";

/** Messages between the tabs of one origin. They carry no secret: only that something changed. */
export interface TabChannel {
  post(message: string): void;
  listen(run: (message: string) => void): () => void;
}

/** A change of one key; without a value the key is removed. */
export interface StorageChange {
  key: string;
  /** A value that the structured clone algorithm copies. */
  value?: unknown;
}

/**
 * An ordered key-value store. Keys are paths such as `user/7/outbox/…`. A rejected promise means
 * that nothing was stored; the client goes on without durability and says so.
 */
export interface ChatStorage {
  /** Whether it ends with the page. */
  readonly volatile?: boolean;
  get(key: string): Promise<unknown>;
  /** Every entry whose key starts with `prefix`, in the order of the keys. */
  list(prefix: string): Promise<readonly (readonly [key: string, value: unknown])[]>;
  /** Applies all changes or none. Resolves when they survive a crash of the page. */
  write(changes: readonly StorageChange[]): Promise<void>;
}
