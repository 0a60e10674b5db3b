// Runs a scenario's script on the shim: the phases that k6 has, in their order, a few iterations for each scenario.
import { build } from "esbuild";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL, fileURLToPath } from "node:url";
import * as shim from "./shim.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const SHIM = new URL("./shim.mjs", import.meta.url).href;

// k6 itself turns TypeScript into JavaScript with esbuild.
async function load(script) {
  const folder = mkdtempSync(join(tmpdir(), "k6-test-"));
  const outfile = join(folder, "script.mjs");
  await build({
    entryPoints: [join(ROOT, script)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    logLevel: "error",
    plugins: [
      {
        name: "k6",
        setup: ({ onResolve }) => onResolve({ filter: /^k6(\/|$)/ }, () => ({ path: SHIM, external: true })),
      },
    ],
  });
  try {
    return await import(pathToFileURL(outfile));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function run(script, environment, iterations = 20) {
  const random = Math.random;
  shim.reset();
  globalThis.__ENV = environment;
  globalThis.open = (file) => readFileSync(file, "utf8");
  const module = await load(script);
  try {
    shim.enter(undefined);
    // k6 hands setup()'s result on as JSON.
    const data = module.setup && JSON.parse(JSON.stringify(module.setup()));
    Object.keys(module.options.scenarios ?? { default: {} }).forEach((scenario, i) => {
      shim.enter(scenario);
      globalThis.__VU = i + 1;
      for (globalThis.__ITER = 0; globalThis.__ITER < iterations; globalThis.__ITER += 1) module.default(data);
    });
    const summary = shim.summary(module.options);
    const files = module.handleSummary(summary);
    for (const [name, content] of Object.entries(files)) if (name !== "stdout") writeFileSync(name, content);
    return { module, options: module.options, data, summary, files, sleeps: shim.sleeps(), asked: shim.urls() };
  } finally {
    Math.random = random;
  }
}
