// Accounts of the demonstration: made afresh for every visit. Their passwords are random and are forgotten
// with the page.
import { randomText } from "./random.ts";

export interface Account {
  readonly username: string;
  readonly password: string;
}

export function demoAccount(name: string): Account {
  return {
    username: `demo-${name.toLowerCase()}-${randomText(8)}`,
    password: `p-${randomText(24)}`,
  };
}
