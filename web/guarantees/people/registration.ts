// Whether this server lets anyone make an account.

/** A server that does not say is taken for open: the attempt says otherwise. */
export async function registrationOpen(): Promise<boolean> {
  const answer = await fetch("/api/config/").catch(() => null);
  if (!answer?.ok) return true;
  const config: unknown = await answer.json().catch(() => null);
  return (config as { registration?: unknown } | null)?.registration !== "closed";
}
