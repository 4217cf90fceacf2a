// The parts of the pane that no one sees first, as one chunk.
export { default as DetailsFailed } from "./details/DetailsFailed.svelte";
export { default as Failed } from "./message/Failed.svelte";
export { default as ModeBar } from "./composer/ModeBar.svelte";
export { default as NewMessages } from "./timeline/NewMessages.svelte";
export { default as Refused } from "./Refused.svelte";
export { default as RemoveDialog } from "./message/RemoveDialog.svelte";
export { default as RowActions } from "./message/RowActions.svelte";
export { default as SuggestionList } from "./composer/SuggestionList.svelte";
