// Whether this server lets people make accounts, as `GET /api/config/` says.

/** A server that does not answer is taken for open: the form shows what it says to an attempt. */
export async function registrationOpen(): Promise<boolean> {
  const answer = await fetch("/api/config/").catch(() => null);
  if (!answer?.ok) return true;
  const config: unknown = await answer.json().catch(() => null);
  return (config as { registration?: unknown } | null)?.registration !== "closed";
}
