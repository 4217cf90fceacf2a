/** The entry `@colloquy/sdk/testing`: a clock, a page and a server for tests without a network. */
export { FakeClock, settle } from "./fake_clock.js";
export type { FakeConnection } from "./fake_connection.js";
export { FakeEnvironment } from "./fake_environment.js";
export type { FakeDatabase, Room } from "./fake_database.js";
export type { Fate, FakeNetwork, FakeRequest } from "./fake_network.js";
export { FakeServer, type FakeServerOptions } from "./fake_server.js";
