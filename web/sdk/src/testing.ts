/** The entry `@colloquy/sdk/testing`: a clock, a page and a server for tests without a network. */
export { FakeClock, settle } from "./testing/fake_clock.js";
export type { FakeConnection } from "./testing/fake_connection.js";
export { FakeEnvironment } from "./testing/fake_environment.js";
export type { FakeDatabase, Room } from "./testing/fake_database.js";
export type { Fate, FakeNetwork, FakeRequest } from "./testing/fake_network.js";
export { FakeServer, type FakeServerOptions } from "./testing/fake_server.js";
