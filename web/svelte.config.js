// Read by svelte-check and by the Svelte plugin of Vite. A compiler warning fails the build: most of
// them are accessibility mistakes.

/** The styles of each class. */
const styles = new Map();

/** The class of a component. It is in the script and in the styles many times, and does not compress. */
function cssHash({ hash, css }) {
  const name = `s${hash(css).slice(0, 4)}`;
  if ((styles.get(name) ?? css) !== css) throw new Error(`two components have the class ${name}`);
  styles.set(name, css);
  return name;
}

export default {
  compilerOptions: { runes: true, cssHash },
  onwarn: (warning) => {
    throw new Error(`${warning.filename ?? "?"}: ${warning.code}: ${warning.message}`);
  },
};
