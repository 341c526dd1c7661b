"""Asks the peers' own SDKs where they put units, and writes `peers.json`; run by hand, as its README says.

Where an SDK tells a unit's number, that is the vector. Where it only picks variants, the line is cut into
equal slots with a variant each, and the vector is the slot: `[low, high)`.
"""

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

SALTS = ("checkout", "flag.rule", "é-1")
UNITS = (
    "u1", "user-123", "42", "a b", "ß", "日本", "😀", "x" * 150, "3f0c1c1e-7a86-4a5c-9f55-2d7f2c1f7c11",
    "ann@example.com", *(f"user-{number}" for number in range(20)),
)  # fmt: skip
SLOTS = 100
HERE = Path(__file__).parent

# A place, exactly or by slot: unit text to number, or to [low, high).
Places: TypeAlias = Mapping[str, float | tuple[float, float]]
Place: TypeAlias = Callable[[str, str], float | tuple[float, float]]


def group(package: str, bucketer: str, total: int, place: Place) -> Iterator[dict[str, Any]]:
    """The vectors of one bucketer by one package, by salt."""
    for salt in SALTS:
        places: Places = {unit: place(salt, unit) for unit in UNITS}
        yield {"package": package, "bucketer": bucketer, "salt": salt, "total": total, "places": places}


def pypi(name: str) -> str:
    """A package as a vector names it."""
    return f"{name} {version(name)} (PyPI)"


def slot(at: int, length: float, slots: int = SLOTS) -> tuple[float, float]:
    """The slot with this number on a line of this length."""
    return at * length / slots, (at + 1) * length / slots


def flagsmith() -> Iterator[dict[str, Any]]:
    """Flagsmith: its hash."""
    hashing = importlib.import_module("flag_engine.utils.hashing")

    def place(salt: str, unit: str) -> float:
        return hashing.get_hashed_percentage_for_object_ids([salt, unit])

    yield from group(pypi("flagsmith-flag-engine"), "flagsmith", 10_000, place)


def posthog() -> Iterator[dict[str, Any]]:
    """PostHog: its hash."""
    flags = importlib.import_module("posthog.feature_flags")
    yield from group(pypi("posthog"), "posthog", 10_000, flags._hash)
    yield from group(
        pypi("posthog"), "posthog-variant", 10_000, lambda salt, unit: flags._hash(salt, unit, "variant")
    )


def launchdarkly() -> Iterator[dict[str, Any]]:
    """LaunchDarkly: the share it buckets a context at."""
    client, common = (
        importlib.import_module("ldclient"),
        importlib.import_module("ldclient.impl.evaluator_common"),
    )

    def place(salt: str, unit: str) -> float:
        # Its prefix is "key.salt", so that a salt of ours is what both make together.
        key, _, rest = salt.partition(".")
        return common._bucket_context(None, client.Context.create(unit), None, key, rest, None)

    for each in group(pypi("launchdarkly-server-sdk"), "ld", 10_000, place):
        yield each if "." in each["salt"] else {**each, "salt": each["salt"] + "."}


def growthbook_python() -> Iterator[dict[str, Any]]:
    """GrowthBook's Python SDK: its hash."""
    core = importlib.import_module("growthbook.core")
    for each in (1, 2):
        for vectors in group(
            pypi("growthbook"),
            f"gb{each}",
            10_000,
            lambda salt, unit, each=each: core.gbhash(salt, unit, each),
        ):
            # Beyond 16 bits it hashes code points, the JavaScript SDK code units; we keep to the latter.
            yield {
                **vectors,
                "places": {unit: place for unit, place in vectors["places"].items() if unit != "😀"},
            }


def eppo() -> Iterator[dict[str, Any]]:
    """Eppo: the variant of a hundred shards."""
    client_module = importlib.import_module("eppo_client")

    def client(salt: str) -> Any:  # noqa: ANN401 — an untyped client
        splits = [
            {"variationKey": f"v{at}", "shards": [{"salt": salt, "ranges": [{"start": at, "end": at + 1}]}]}
            for at in range(SLOTS)
        ]
        flag = {
            "key": "f", "enabled": True, "variationType": "INTEGER", "totalShards": SLOTS,
            "variations": {f"v{at}": {"key": f"v{at}", "value": at} for at in range(SLOTS)},
            "allocations": [{"key": "all", "rules": [], "doLog": False, "splits": splits}],
        }  # fmt: skip
        configuration = {
            "createdAt": "2026-01-01T00:00:00.000Z", "format": "SERVER", "environment": {"name": "peers"},
            "flags": {"f": flag},
        }  # fmt: skip
        return client_module.init(
            client_module.ClientConfig(
                api_key="peers",
                base_url="http://127.0.0.1:9",
                assignment_logger=client_module.AssignmentLogger(),
                poll_interval_seconds=None,
                initial_configuration=client_module.Configuration(
                    flags_configuration=json.dumps(configuration).encode()
                ),
            )
        )

    clients = {}

    def place(salt: str, unit: str) -> float:
        if salt not in clients:
            clients.clear()
            clients[salt] = client(salt)
        return clients[salt].get_integer_assignment("f", unit, {}, -1)

    yield from group(pypi("eppo-server-sdk"), "eppo", SLOTS, place)


def unleash() -> Iterator[dict[str, Any]]:
    """Unleash: the first share that lets a unit in, and the variant of a thousand."""
    engine_module = importlib.import_module("yggdrasil_engine.engine")
    package = f"{pypi('yggdrasil-engine')}, the engine of {pypi('UnleashClient')}"

    def engine(salt: str) -> Any:  # noqa: ANN401 — an untyped engine
        made = engine_module.UnleashEngine()
        steps = [rollout(salt, f"r{share}", share, []) for share in range(1, 101)]
        variants = [
            {
                "name": f"v{at}",
                "weight": 1,
                "stickiness": "userId",
                "payload": {"type": "string", "value": str(at)},
            }
            for at in range(1_000)
        ]
        made.take_state(
            json.dumps({"version": 2, "features": [*steps, rollout(salt, "variants", 100, variants)]})
        )
        return made

    def rollout(salt: str, name: str, share: int, variants: list[Any]) -> dict[str, Any]:
        parameters = {"rollout": str(share), "stickiness": "userId", "groupId": salt}
        strategy = {
            "name": "flexibleRollout",
            "parameters": parameters,
            "constraints": [],
            "variants": variants,
        }
        return {"name": name, "enabled": True, "strategies": [strategy]}

    engines = {salt: engine(salt) for salt in SALTS}

    def first_share(salt: str, unit: str) -> float:
        context = {"userId": unit}
        return next(
            share for share in range(1, 101) if engines[salt].check_enabled(f"r{share}", context).is_enabled
        )

    def variant(salt: str, unit: str) -> float:
        found = engines[salt].check_variant("variants", {"userId": unit})
        return int(found.variant.payload["value"]) + 1

    yield from group(package, "unleash", 100, first_share)
    yield from group(package, "unleash-variant", 1_000, variant)


def statsig() -> Iterator[dict[str, Any]]:
    """Statsig: its hash, and that a gate lets a unit in from the next whole percent on."""
    evaluator_class = importlib.import_module("statsig.evaluator")._Evaluator
    user_class = importlib.import_module("statsig.statsig_user").StatsigUser
    evaluator = evaluator_class.__new__(evaluator_class)

    def place(salt: str, unit: str) -> float:
        key, _, rest = salt.partition(".")
        found = evaluator._Evaluator__compute_user_hash(f"{key}.{rest}.{unit}") % 10_000
        for percent in range(101):
            rule = {"passPercentage": percent, "salt": rest, "idType": "userID"}
            passes = evaluator._Evaluator__eval_pass_percentage(user_class(unit), rule, {"salt": key})
            if passes is not (found < percent * 100):
                raise ValueError(salt, unit, percent)
        return found

    for each in group(pypi("statsig"), "statsig", 10_000, place):
        yield each if "." in each["salt"] else {**each, "salt": each["salt"] + "."}


def go_feature_flag() -> Iterator[dict[str, Any]]:
    """GO Feature Flag: the variation of a hundred."""
    wasm = importlib.import_module("gofeatureflag_python_provider.wasm")
    evaluator = wasm.EvaluateWasm(pool_size=1)
    evaluator.initialize()
    # It walks variations by name, from the last to the first.
    names = [f"v{SLOTS - 1 - at:03}" for at in range(SLOTS)]
    flag = {
        "variations": {name: at for at, name in enumerate(names)},
        "defaultRule": {"percentage": dict.fromkeys(names, 1)},
    }

    def place(salt: str, unit: str) -> tuple[float, float]:
        asked = wasm.WasmInput(
            flagKey=salt, flag=flag, evalContext={"targetingKey": unit}, flagContext=wasm.WasmFlagContext()
        )
        found = evaluator.evaluate(asked)
        if found.reason != "SPLIT":
            raise ValueError(found)
        return slot(int(found.value), 100_000)

    yield from group(
        pypi("gofeatureflag-python-provider") + ", its WASI module 0.2.4 of the Go code",
        "goff",
        100_000,
        place,
    )


def flipt() -> Iterator[dict[str, Any]]:
    """Flipt: the variant of a hundred."""
    module, models = importlib.import_module("flipt_client"), importlib.import_module("flipt_client.models")
    distributions = [
        {
            "id": str(at),
            "ruleId": "r",
            "rollout": 100 / SLOTS,
            "variantId": str(at),
            "variantKey": str(at),
            "variantAttachment": "",
        }
        for at in range(SLOTS)
    ]
    segments = [{"key": "all", "name": "all", "matchType": "ALL_SEGMENT_MATCH_TYPE", "constraints": []}]
    rule = {
        "id": "r", "rank": 1, "segments": segments, "segmentOperator": "OR_SEGMENT_OPERATOR",
        "distributions": distributions,
    }  # fmt: skip
    flags = [
        {
            "key": salt,
            "name": salt,
            "description": "",
            "enabled": True,
            "type": "VARIANT_FLAG_TYPE",
            "rules": [rule],
            "rollouts": [],
        }
        for salt in SALTS
    ]
    document = {"digest": "", "namespace": {"key": "default", "name": "default"}, "flags": flags}
    with served(document) as url:
        client = module.FliptClient(models.ClientOptions(url=url))

        def place(salt: str, unit: str) -> tuple[float, float]:
            found = client.evaluate_variant(salt, unit, {})
            if not found.match:
                raise ValueError(found)
            return slot(int(found.variant_key), 1_000)

        yield from group(pypi("flipt-client"), "flipt", 1_000, place)
        client.close()


def flipt_threshold() -> Iterator[dict[str, Any]]:
    """Flipt's boolean flags: a percent, read bit by bit from thresholds that rise and serve that bit."""
    module, models = importlib.import_module("flipt_client"), importlib.import_module("flipt_client.models")
    with ExitStack() as stack:
        urls = [stack.enter_context(served(_thresholds(bit))) for bit in range(7)]
        clients = [module.FliptClient(models.ClientOptions(url=url)) for url in urls]

        def place(salt: str, unit: str) -> float:
            bits = [client.evaluate_boolean(salt, unit, {}).enabled for client in clients]
            return sum(bit << at for at, bit in enumerate(bits))

        yield from group(pypi("flipt-client"), "flipt-threshold", 100, place)
        for client in clients:
            client.close()


def _thresholds(bit: int) -> dict[str, Any]:
    rollouts = [
        {
            "rank": percent + 1,
            "type": "THRESHOLD_ROLLOUT_TYPE",
            "threshold": {"percentage": percent + 1, "value": bool(percent >> bit & 1)},
        }
        for percent in range(100)
    ]
    flags = [
        {
            "key": salt,
            "name": salt,
            "description": "",
            "enabled": False,
            "type": "BOOLEAN_FLAG_TYPE",
            "rules": [],
            "rollouts": rollouts,
        }
        for salt in SALTS
    ]
    return {"digest": "", "namespace": {"key": "default", "name": "default"}, "flags": flags}


class served:  # noqa: N801 — used as a function
    """One JSON document at every address, while the context lasts."""

    def __init__(self, document: object) -> None:
        body = json.dumps(document).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def flagd_3() -> Iterator[dict[str, Any]]:
    """flagd's third generation: the variant of a hundred."""
    core_class = importlib.import_module("openfeature.contrib.tools.flagd.core").FlagdCore
    context_class = importlib.import_module("openfeature.evaluation_context").EvaluationContext
    core = core_class()
    flag = {
        "state": "ENABLED", "defaultVariant": "v0", "variants": {f"v{at}": at for at in range(SLOTS)},
        "targeting": {"fractional": [[f"v{at}", 1] for at in range(SLOTS)]},
    }  # fmt: skip
    core.set_flags(json.dumps({"flags": dict.fromkeys(SALTS, flag)}))

    def place(salt: str, unit: str) -> float:
        found = core.resolve_integer_value(salt, -1, context_class(targeting_key=unit))
        if str(found.reason) not in {"TARGETING_MATCH", "Reason.TARGETING_MATCH"}:
            raise ValueError(found)
        return found.value

    yield from group(pypi("openfeature-flagd-core"), "flagd3", SLOTS, place)


def flagd_python(module: str, package: str, bucketer: str, length: float | None) -> Iterator[dict[str, Any]]:
    """flagd's earlier generations in Python: the variant of a hundred."""
    fractional = importlib.import_module(module).fractional

    def place(salt: str, unit: str) -> float | tuple[float, float]:
        context = {"$flagd": {"flagKey": salt}, "targetingKey": unit}
        found = int(fractional(context, *([str(at), 1] for at in range(SLOTS))))
        return found if length is None else slot(found, length)

    yield from group(pypi(package), bucketer, SLOTS, place)


FLAGD_PYTHON = {
    "flagd1": (
        "openfeature.contrib.provider.flagd.resolvers.process.custom_ops",
        "openfeature-provider-flagd",
        "flagd1",
        100,
    ),
    "flagd2": (
        "openfeature.contrib.tools.flagd.core.targeting.custom_ops",
        "openfeature-flagd-core",
        "flagd2",
        None,
    ),
}


def from_python(executable: str, bucketer: str) -> list[dict[str, Any]]:
    """Vectors of an older package, by a Python that has it."""
    return json.loads(subprocess.check_output([executable, __file__, bucketer], text=True))  # noqa: S603 — ourselves


def from_javascript(
    folder: str, name: str, slots: int, shapes: Mapping[str, tuple[str, int, float | None]]
) -> Iterator[dict[str, Any]]:
    """Vectors of an npm package; `shapes`: by its result's name, our bucketer, its total, its line's length
    where slots cut it."""
    request = json.dumps({"salts": SALTS, "units": UNITS, "slots": slots})
    done = subprocess.run(  # noqa: S603 — our own script
        ["node", str(HERE / "peers.mjs"), folder, name],  # noqa: S607 — whichever is installed
        input=request,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    for result, (bucketer, total, length) in shapes.items():
        for salt, places in zip(SALTS, answer["places"], strict=True):
            found = [each[result] for each in places]
            numbers = found if length is None else [slot(at, length, slots) for at in found]
            yield {
                "package": answer["package"], "bucketer": bucketer, "salt": salt, "total": total,
                "places": dict(zip(UNITS, numbers, strict=True)),
            }  # fmt: skip


def main(found: Mapping[str, str]) -> None:
    """Writes the vectors of all peers."""
    flagd = "@openfeature/flagd-core"
    growthbook = {"gb1": ("gb1", 10_000, 1), "gb2": ("gb2", 10_000, 1)}
    one, two = {"flagd": ("flagd1", SLOTS, 100)}, {"flagd": ("flagd2", SLOTS, None)}
    groups = [
        *growthbook_python(),
        *flagsmith(),
        *posthog(),
        *launchdarkly(),
        *eppo(),
        *unleash(),
        *statsig(),
        *go_feature_flag(),
        *flipt(),
        *flipt_threshold(),
        *flagd_3(),
        *from_python(found["flagd1"], "flagd1"),
        *from_python(found["flagd2"], "flagd2"),
        *from_javascript(found["growthbook_js"], "@growthbook/growthbook", 1_000, growthbook),
        *map(ascii_only, from_javascript(found["flagd1_js"], flagd, SLOTS, one)),
        *map(ascii_only, from_javascript(found["flagd2_js"], flagd, SLOTS, two)),
    ]
    description = "Where the peers' SDKs put units: exactly, or in [low, high) where variants tell."
    text = json.dumps({"description": description, "groups": groups})
    (HERE / "peers.json").write_text(text.replace('{"package"', '\n{"package"') + "\n", "utf-8")


def ascii_only(vectors: dict[str, Any]) -> dict[str, Any]:
    """The vectors for ASCII: beyond it flagd's JavaScript hashes other bytes than its other SDKs."""
    if not vectors["salt"].isascii():
        return {**vectors, "places": {}}
    return {**vectors, "places": {unit: at for unit, at in vectors["places"].items() if unit.isascii()}}


if __name__ == "__main__":
    if sys.argv[1] in FLAGD_PYTHON:
        sys.stdout.write(json.dumps(list(flagd_python(*FLAGD_PYTHON[sys.argv[1]]))))
    else:
        main(dict(each.split("=", 1) for each in sys.argv[1:]))
