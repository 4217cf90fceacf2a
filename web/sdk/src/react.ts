/** The entry `@colloquy/sdk/react`: values of the SDK as hooks. */
import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from "react";
import type { Readable } from "./readable.js";
import type { Client, Conversation, ConversationId } from "./types.js";

const ClientContext = createContext<Client | null>(null);

/** Makes a client available below. Starting and stopping it is up to the application. */
export function ClientProvider(props: { client: Client; children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: props.client }, props.children);
}

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("There is no ClientProvider above this component.");
  return client;
}

/** The current value; renders again when it changes. */
export function useReadable<T>(readable: Readable<T>): T {
  const subscribe = useCallback((run: () => void) => readable.subscribe(run), [readable]);
  const get = useCallback(() => readable.get(), [readable]);
  return useSyncExternalStore(subscribe, get, get);
}

/** A conversation that stays connected while the component is mounted. */
export function useConversation(id: ConversationId): Conversation {
  const conversation = useClient().conversation(id);
  useEffect(() => conversation.hold(), [conversation]);
  return conversation;
}
