// What this server offers, for the pages without a login.
import { registrationOpen } from "./registration.ts";

class ServerConfig {
  /** Until the server has answered, the page offers an account. */
  registrationOpen = $state(true);

  async load(): Promise<void> {
    this.registrationOpen = await registrationOpen();
  }
}

export const serverConfig = new ServerConfig();
