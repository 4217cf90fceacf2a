// Whose phones they are.
export const NAMES = ["Ann", "Ben"] as const;
