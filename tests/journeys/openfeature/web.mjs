// What a browser does: one bulk request, a change of attributes, a stream. Prints what it saw as JSON.
import { EventSource } from "eventsource";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";

const { ASSAY_URL, SLOW_URL, CLIENT_KEY, NEXT_DATAFILE } = process.env;

globalThis.EventSource = EventSource;
globalThis.localStorage = memory();

function memory() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, String(value)),
    removeItem: (name) => void kept.delete(name),
    key: (index) => [...kept.keys()][index] ?? null,
    get length() {
      return kept.size;
    },
  };
}

function provider(baseUrl, key) {
  return new OFREPWebProvider({ baseUrl, headers: [["authorization", `Bearer ${key}`]] });
}

function once(client, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within 10 s`)), 10_000);
    client.addHandler(event, (details) => {
      clearTimeout(timer);
      resolve(details);
    });
  });
}

const brief = ({ value, variant, reason, errorCode, flagMetadata }) => ({
  value,
  variant,
  reason,
  errorCode,
  rule: flagMetadata?.ruleId,
});

const seen = {};
await OpenFeature.setContext({ targetingKey: "u1", plan: "free" });
await OpenFeature.setProviderAndWait("assay", provider(ASSAY_URL, CLIENT_KEY));
const client = OpenFeature.getClient("assay");

seen.types = {
  boolean: brief(client.getBooleanDetails("boolean", false)),
  string: brief(client.getStringDetails("string", "default")),
  integer: brief(client.getNumberDetails("integer", -1)),
  float: brief(client.getNumberDetails("float", -1)),
  json: brief(client.getObjectDetails("json", {})),
  list: brief(client.getObjectDetails("list", [])),
};
seen.codeDefault = brief(client.getStringDetails("code_default", "mine"));
seen.disabled = brief(client.getBooleanDetails("disabled", true));
seen.missing = brief(client.getBooleanDetails("missing", true));
seen.mistyped = brief(client.getNumberDetails("string", 7));
seen.free = brief(client.getStringDetails("targeted", "default"));

// By default this client first serves what it stored for the targeting key, and asks behind it with its old tag.
const reread = once(client, ProviderEvents.ConfigurationChanged);
await OpenFeature.setContext({ targetingKey: "u1", plan: "pro" });
await reread;
seen.pro = brief(client.getStringDetails("targeted", "default"));

const changed = once(client, ProviderEvents.ConfigurationChanged);
// The stream is opened behind the answer; a moment, so that what is told is the change and not the greeting.
await new Promise((resolve) => setTimeout(resolve, 500));
const published = Date.now();
await fetch(`${ASSAY_URL}/api/v1/projects/default/environments/production/ruleset`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: NEXT_DATAFILE,
});
seen.changed = (await changed).flagsChanged;
seen.changedAfterMilliseconds = Date.now() - published;
seen.afterPublish = brief(client.getStringDetails("string", "default"));

try {
  await OpenFeature.setProviderAndWait("nobody", provider(ASSAY_URL, "nobody"));
} catch (error) {
  seen.badKey = String(error.code ?? error.message);
}
seen.badKeyStatus = OpenFeature.getClient("nobody").providerStatus;
seen.badKeyValue = OpenFeature.getClient("nobody").getBooleanValue("boolean", false);

await OpenFeature.setProviderAndWait("slow", provider(SLOW_URL, CLIENT_KEY));
const slow = OpenFeature.getClient("slow");
const stale = once(slow, ProviderEvents.Stale);
await OpenFeature.setContext("slow", { targetingKey: "u1", plan: "other" });
seen.stale = (await stale).message;
seen.valueWhileStale = slow.getBooleanValue("boolean", false);

await OpenFeature.close();
process.stdout.write(JSON.stringify(seen));
