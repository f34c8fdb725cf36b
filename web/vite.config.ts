import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const WORKER = "service_worker.js";

/** Writes the service worker, with the list of all files of the built site. */
function serviceWorker(): Plugin {
  let folder = "";
  return {
    name: "service-worker",
    apply: "build",
    configResolved: (config) => void (folder = config.build.outDir),
    closeBundle() {
      const found = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== WORKER)
        .map((entry) => join(entry.parentPath, entry.name))
        .sort();
      const names = found.map((file) => file.slice(folder.length + 1).replaceAll("\\", "/"));
      const hash = createHash("sha256").update(names.join());
      for (const file of found) hash.update(readFileSync(file));
      const text = readFileSync(join("src", WORKER), "utf-8")
        .replace("VERSION", hash.digest("hex").slice(0, 16))
        .replace('["FILES"]', JSON.stringify(["./", ...names]));
      writeFileSync(join(folder, WORKER), text);
    },
  };
}

const LICENSES = { fileName: "licences.md" }; // of the packages that are part of the build

export default defineConfig(({ mode }) =>
  mode === "package"
    ? {
        build: {
          target: "es2022",
          lib: { entry: "src/index.ts", formats: ["es"], fileName: "index" },
          outDir: "lib",
          copyPublicDir: false,
          rolldownOptions: { external: ["unzipit"] },
        },
      }
    : {
        base: "./", // for a site in any folder of a host
        build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, license: LICENSES },
        worker: { format: "es" },
        plugins: [serviceWorker()],
        test: { include: ["test/**/*.test.ts"], testTimeout: 60_000 },
      },
);
