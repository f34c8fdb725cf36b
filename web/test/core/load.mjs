// Loads the TypeScript sources in Node, for tests and fuzzing from outside of the web project.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Import a module by its path within web/. */
export async function load(path) {
  const { module } = await runnerImport(`${root}${path}`, { configFile: false, root });
  return module;
}
