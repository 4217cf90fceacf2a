// The pages and dialogs that no one sees first, as one chunk. The shell loads it when the browser is idle, so that
// they open at once, and also while the line is down.
export { default as ConnectionDetails } from "../connection/ConnectionDetails.svelte";
export { default as ErrorBanner } from "../errors/ErrorBanner.svelte";
export { default as InviteCard } from "../create/InviteCard.svelte";
export { default as LogOutDialog } from "../session/LogOutDialog.svelte";
export { default as NewConversation } from "../create/NewConversation.svelte";
export { default as Resizer } from "./Resizer.svelte";
export { default as Settings } from "../settings/Settings.svelte";
export { default as ShortcutsDialog } from "../keyboard/ShortcutsDialog.svelte";
