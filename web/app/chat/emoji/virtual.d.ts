// Provided by `build/emoji.ts`.
declare module "virtual:emoji/en" {
  const groups: readonly import("./types.ts").EmojiGroup[];
  export default groups;
}

declare module "virtual:emoji/de" {
  const groups: readonly import("./types.ts").EmojiGroup[];
  export default groups;
}
