/** The npm package, installed from its tarball and used as its README says. */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { expectNear, folder, ipmdae, python } from "./page/site.ts";

test("denoises in Node, and has types", () => {
  const npm = (...parts: string[]) => execFileSync("npm", parts, { encoding: "utf-8" });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const said = npm("pack", "--silent", "--pack-destination", folder);
  const tarball = join(folder, said.trim().split("\n").at(-1)!);
  expect(statSync(tarball).size).toBeLessThan(4e6);
  npm("install", "--prefer-offline", "--silent", "--prefix", folder, tarball);

  const [, example] = /```ts\n([^]*?)```/.exec(readFileSync("README.md", "utf-8"))!;
  const wrong =
    "\n// @ts-expect-error: the types are those of the package\nverdicts[0].grade = 1;\n";
  writeFileSync(join(folder, "example.ts"), example + wrong);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "nodenext",
        strict: true,
        types: ["node"],
        typeRoots: [resolve("node_modules/@types")],
      },
      files: ["example.ts"],
    }),
  );
  execFileSync("node", [resolve("node_modules/typescript/bin/tsc"), "-p", folder]);

  python('ipmdae.write(ipmdae.read(ipmdae.examples.path("118e24_excerpt")), "ecg.csv")');
  ipmdae("denoise", "ecg.csv", "-o", "expected.csv");
  execFileSync("node", ["example.js"], { cwd: folder });
  expectNear(join(folder, "cleaned.csv"), join(folder, "expected.csv"));
}, 120_000);
