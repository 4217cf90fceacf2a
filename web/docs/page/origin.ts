/** The address in every example. Scripts replace it with that of the server. */
export const ORIGIN = "http://127.0.0.1:8000";
