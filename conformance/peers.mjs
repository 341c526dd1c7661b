// Where JavaScript SDKs put units; called by peers.py, one request as JSON on standard input.
// Usage: node peers.mjs <folder with node_modules> <package>
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const [folder, name] = process.argv.slice(2);
const load = createRequire(join(resolve(folder), "peers.cjs"));
const { salts, units, slots } = JSON.parse(readFileSync(0, "utf8"));
const numbers = [...Array(slots).keys()];

function growthbook(salt, unit) {
  const { GrowthBook } = load("@growthbook/growthbook");
  const place = (hashVersion) =>
    new GrowthBook({ attributes: { id: unit } }).run({
      key: salt, seed: salt, hashVersion, variations: numbers, ranges: numbers.map((at) => [at / slots, (at + 1) / slots]),
    }).value;
  return { gb1: place(1), gb2: place(2) };
}

function flagd(salt, unit) {
  const { FlagdCore } = load("@openfeature/flagd-core");
  const core = new FlagdCore();
  const variants = Object.fromEntries(numbers.map((at) => [`v${at}`, at]));
  const targeting = { fractional: numbers.map((at) => [`v${at}`, 1]) };
  core.setConfigurations(JSON.stringify({ flags: { [salt]: { state: "ENABLED", variants, defaultVariant: "v0", targeting } } }));
  const found = core.resolveNumberEvaluation(salt, -1, { targetingKey: unit }, console);
  if (found.reason !== "TARGETING_MATCH") throw new Error(JSON.stringify(found));
  return { flagd: found.value };
}

const place = { "@growthbook/growthbook": growthbook, "@openfeature/flagd-core": flagd }[name];
const manifest = JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"));
const places = salts.map((salt) => units.map((unit) => place(salt, unit)));
process.stdout.write(JSON.stringify({ package: `${name} ${manifest.version} (npm)`, places }));
