// Read by svelte-check and by the Svelte plugin of Vite. A compiler warning fails the build: most of
// them are accessibility mistakes.
export default {
  compilerOptions: { runes: true },
  onwarn: (warning) => {
    throw new Error(`${warning.filename ?? "?"}: ${warning.code}: ${warning.message}`);
  },
};
