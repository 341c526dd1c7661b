// What a Node back end does: one request per evaluation. Prints what it saw as JSON.
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";

const { ASSAY_URL, SLOW_URL, SERVER_KEY } = process.env;
const context = { targetingKey: "u1", plan: "pro" };
const brief = ({ value, variant, reason, errorCode }) => ({ value, variant, reason, errorCode });

async function client(name, baseUrl, key) {
  const provider = new OFREPProvider({ baseUrl, headers: [["authorization", `Bearer ${key}`]] });
  await OpenFeature.setProviderAndWait(name, provider);
  return OpenFeature.getClient(name);
}

const seen = {};
const assay = await client("assay", ASSAY_URL, SERVER_KEY);
seen.types = {
  boolean: brief(await assay.getBooleanDetails("boolean", false, context)),
  string: brief(await assay.getStringDetails("string", "default", context)),
  integer: brief(await assay.getNumberDetails("integer", -1, context)),
  float: brief(await assay.getNumberDetails("float", -1, context)),
  json: brief(await assay.getObjectDetails("json", {}, context)),
  list: brief(await assay.getObjectDetails("list", [], context)),
};
seen.codeDefault = brief(await assay.getStringDetails("code_default", "mine", context));
seen.disabled = brief(await assay.getBooleanDetails("disabled", true, context));
seen.missing = brief(await assay.getBooleanDetails("missing", true, context));
seen.mistyped = brief(await assay.getNumberDetails("string", 7, context));
seen.free = brief(await assay.getStringDetails("targeted", "default", { ...context, plan: "free" }));
seen.pro = brief(await assay.getStringDetails("targeted", "default", context));
seen.unitless = brief(await assay.getBooleanDetails("split", false, {}));

const nobody = await client("nobody", ASSAY_URL, "nobody");
seen.badKey = brief(await nobody.getBooleanDetails("boolean", false, context));

const slow = await client("slow", SLOW_URL, SERVER_KEY);
for (const name of ["first", "second", "third"]) {
  seen[name] = brief(await slow.getBooleanDetails("boolean", false, context));
}

await OpenFeature.close();
process.stdout.write(JSON.stringify(seen));
