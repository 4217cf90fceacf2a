// Provided by `build/icons.ts`.
declare module "virtual:icons" {
  /** The URL of the sprite. */
  const url: string;
  export default url;
}
