// What this server offers, as `GET /api/config/` says it. A client offers a function only if the server does.

interface ConfigAnswer {
  readonly registration?: unknown;
  readonly features?: unknown;
}

class ServerConfig {
  /** Whether people may create accounts. Until the answer is there, and without one, the form says it. */
  registrationOpen = $state(true);
  #features = $state.raw<ReadonlySet<string>>(new Set());

  /** Whether the server has this function beyond the first version of the API. */
  has(feature: string): boolean {
    return this.#features.has(feature);
  }

  async load(): Promise<void> {
    const answer = await fetch("/api/config/").catch(() => null);
    if (!answer?.ok) return;
    const { registration, features } = (await answer.json()) as ConfigAnswer;
    this.registrationOpen = registration !== "closed";
    if (Array.isArray(features)) {
      this.#features = new Set(features.filter((name) => typeof name === "string"));
    }
  }
}

export const serverConfig = new ServerConfig();
