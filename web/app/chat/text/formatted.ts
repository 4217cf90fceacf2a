// What a text with markup needs: its parser, and the components that show the result.
export { default as Blocks } from "./Blocks.svelte";
export { parse } from "./markdown.ts";
