/** Which user the storage is of, and how it forgets one. */
import type { ChatStorage } from "../platform/ports.js";
import type { User } from "../wire/api.js";

/** The key of the user who was connected last. */
export const PROFILE = "profile";

/** How many messages of all tabs are not sent yet or have failed: what `forgetUser` would lose. */
export async function countUnsent(storage: ChatStorage, userId: number): Promise<number> {
  return (await storage.list(`user/${userId}/outbox/`)).length;
}

/**
 * Removes everything that storage has of a user: name and address, messages, drafts, and the unsent
 * queue. End the login before, so that no client of the user writes any more.
 */
export async function forgetUser(storage: ChatStorage, userId: number): Promise<void> {
  const keys = (await storage.list(`user/${userId}/`)).map(([key]) => key);
  // Written by the client only.
  const profile = (await storage.get(PROFILE)) as User | undefined;
  if (profile?.id === userId) keys.push(PROFILE);
  await storage.write(keys.map((key) => ({ key })));
}
