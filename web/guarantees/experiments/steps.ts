// What the steps of a plan and the experiments do to a phone.
import type { Demonstration } from "../demonstration.ts";
import { SKIP_MS, type Phone } from "../phone/phone.ts";
import { randomText } from "../people/random.ts";
import { sleep } from "../result.ts";
import type { Step } from "./plan.ts";

export async function runStep(demonstration: Demonstration, step: Step): Promise<void> {
  const phone = demonstration.phones[step.phone];
  await perform(demonstration, phone, step);
  await sleep(step.pauseMs);
}

async function perform(
  demonstration: Demonstration,
  phone: Phone,
  { kind, amount }: Step,
): Promise<void> {
  switch (kind) {
    case "say":
      return demonstration.say(phone, amount);
    case "silence":
      return phone.line.silence();
    case "disconnect":
      return phone.line.disconnect();
    case "restore":
      return demonstration.bringBack(phone);
    case "delay":
      return phone.line.delay(amount);
    case "lose-ack":
      return loseAck(demonstration, phone);
    case "same-id":
      return void (await sameId(demonstration, phone));
    case "edit":
      return editOwn(demonstration, phone);
    case "delete":
      return deleteOwn(demonstration, phone);
    case "renew":
      return renew(phone);
    case "skip":
      return phone.skip(amount);
    case "end-session":
      return demonstration.endSession(phone);
    case "remove":
      return demonstration.remove(phone);
    case "add":
      return demonstration.readmit(phone);
  }
}

/** The line breaks after the lost answer, when the phone is allowed to send again. */
export function loseAck(demonstration: Demonstration, phone: Phone): void {
  phone.line.loseNextAck(demonstration.throttleMs > 0 ? demonstration.throttleMs + 200 : 0);
  demonstration.say(phone);
}

/** Sends one message over the socket and over REST at once. Returns the id of each. */
export async function sameId(
  demonstration: Demonstration,
  phone: Phone,
): Promise<{ socket: number; rest: number } | null> {
  const id = randomText(24);
  const text = demonstration.nextText(phone.name);
  const outgoing = phone.send(text, id);
  const user = demonstration.restUsers[phone === demonstration.phones[0] ? 0 : 1];
  const answer = await demonstration.sendOverRest(user, text, id);
  // The acknowledgement may come before the event, which brings the message itself.
  const shown = () => phone.ownMessages().find(({ client_message_id }) => client_message_id === id);
  await demonstration.until(
    () => outgoing.status.get() === "sent" && shown() !== undefined,
    20_000,
  );
  const row = shown();
  return row ? { socket: row.id, rest: answer.id } : null;
}

/** Edits the phone's newest message. What the server refuses changes nothing, which the ledger checks. */
export async function editOwn(demonstration: Demonstration, phone: Phone): Promise<void> {
  const message = phone.ownMessages().at(-1);
  if (!message) return;
  demonstration.willChange(message.id, message.content);
  await phone.conversation.edit(message.id, `${message.content}, edited`);
}

/** Deletes the phone's oldest message that is left. */
export async function deleteOwn(demonstration: Demonstration, phone: Phone): Promise<void> {
  const [message] = phone.ownMessages();
  if (!message) return;
  demonstration.willChange(message.id, message.content);
  await phone.conversation.remove(message.id);
}

/** Delivers the warning that the server sends a minute before a token ends. The rest is real. */
export const renew = (phone: Phone): void => phone.line.inject({ type: "auth.expiring", in_s: 60 });

/** Waits until the phone notices a silent line, or moves its clock ahead so that it does. */
export async function noticeSilence(demonstration: Demonstration, phone: Phone): Promise<boolean> {
  const noticed = (): boolean => phone.status.name !== "unaware";
  if (!demonstration.skipWaits) return demonstration.until(noticed, 90_000);
  // The first jump makes the heartbeat due, the second its answer.
  for (let jump = 0; jump < 4 && !noticed(); jump++) {
    phone.skip(SKIP_MS);
    await sleep(200);
  }
  return noticed();
}
