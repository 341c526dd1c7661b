"""A running Assay from a notebook: plain synchronous calls, because a notebook has a loop of its own."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx2

from assay.analysis.bundle import from_json
from assay.analysis.document import Document
from assay.notebook.result import Result
from assay.shared.errors import AssayError

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_SECONDS = 0.2
TIMEOUT_SECONDS = 30.0


class ServerRefused(AssayError):
    """The server did not do what was asked; the message is its own."""

    code = "server_refused"


class AnalysisTooSlow(AssayError):
    """The analysis is still at work when the caller stops waiting."""

    code = "analysis_too_slow"


@dataclass(frozen=True, slots=True)
class Server:
    """A running Assay.

    Attributes:
        key: An API key, where the server asks for one.
    """

    url: str
    key: str | None = None

    def experiment(self, key: str, *, project: str = "default") -> "Experiment":
        """An experiment of a project; nothing is asked of the server yet."""
        return Experiment(self, key, project)

    def get(self, path: str) -> Any:  # noqa: ANN401 — JSON
        """Reads a resource."""
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 — JSON
        """Begins work."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 — JSON
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            answer = httpx2.request(
                method, f"{self.url.rstrip('/')}{path}", headers=headers, json=body, timeout=TIMEOUT_SECONDS
            )
        except httpx2.TransportError as error:
            raise ServerRefused(
                f"no Assay answers at {self.url} ({type(error).__name__}); start one with `assay up`, "
                "or name another by assay.connect(url) or ASSAY_URL"
            ) from error
        if answer.is_error:
            raise ServerRefused(_detail(answer), value=answer.status_code)
        return answer.json()


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment of a running Assay."""

    server: Server
    key: str
    project: str

    def analyze(
        self,
        *,
        segments: Sequence[str] | Mapping[str, int] = (),
        strata: str | None = None,
        metrics: Sequence[str] | None = None,
        until: date | str | None = None,
        alpha: float | None = None,
        method: str | Mapping[str, Any] | None = None,
        covariates: Mapping[str, str] | None = None,
        adjusted: bool = True,
        view: float | Mapping[str, float] | None = None,
        wait_seconds: float = 600.0,
    ) -> Result:
        """The result of what is known now, computed by the server.

        Without options it is the planned reading; what departs from it is marked as exploratory. Interrupted,
        it cancels the analysis.

        Args:
            segments: Properties to cut by, perhaps with how many of the most frequent values stand alone.
            strata: A property within which arms are compared, then averaged.
            metrics: Only these.
            until: As of the end of this day, in UTC.
            alpha: In place of the plan's.
            method: In place of the plan's, by its name or as the API has it.
            covariates: Metrics, each with the one whose lookback adjusts it.
            adjusted: Whether what was known before exposure is taken out.
            view: Adds a Bayesian view with this standard deviation of the lift's prior.
            wait_seconds: How long to wait.
        Raises:
            ServerRefused: There is no such experiment, or the analysis failed; the message says why.
            AnalysisTooSlow: It is not finished after the wait; it goes on, and `latest` will have it.
        """
        asked = {
            "segments": _segments(segments),
            "strata": strata,
            "metrics": None if metrics is None else list(metrics),
            "until": None if until is None else str(until),
            "alpha": alpha,
            "method": {"kind": method} if isinstance(method, str) else method,
            "covariates": dict(covariates or {}),
            "view": {"standard_deviation": view} if isinstance(view, int | float) else view,
        }
        body = {name: value for name, value in asked.items() if value not in (None, [], {})}
        return self._analyzed({**body, **({} if adjusted else {"adjusted": False})}, wait_seconds)

    def _analyzed(self, body: Mapping[str, Any], wait_seconds: float) -> Result:
        task = self.server.post(self._results, body or None)
        deadline = time.monotonic() + wait_seconds
        while task["state"] in {"PENDING", "PROCESSING"}:
            if time.monotonic() > deadline:
                raise AnalysisTooSlow(
                    f"the analysis of {self.key!r} is still at work ({task['note']}) after "
                    f"{wait_seconds:g} s; ask latest() later"
                )
            try:
                time.sleep(POLL_SECONDS)
            except KeyboardInterrupt:
                self.server.post(f"{self._results}/{task['id']}/cancel")
                raise
            task = self.server.get(f"{self._results}/{task['id']}")
        return self._read(self.server.get(f"{self._results}/{task['id']}/document"))

    def latest(self) -> Result:
        """The newest finished result; computes nothing.

        Raises:
            ServerRefused: There is none yet.
        """
        return self._read(self.server.get(f"{self._results}/latest"))

    def _read(self, found: dict[str, Any]) -> Result:
        record = self.server.get(f"{self._results}/{found['task']['id']}/record")
        return Result(Document.model_validate(found["document"]), from_json(record))

    @property
    def _results(self) -> str:
        return f"/api/v1/projects/{self.project}/experiments/{self.key}/results"


def connect(url: str | None = None, *, key: str | None = None) -> Server:
    """A running Assay by its address; without one that of `ASSAY_URL`, else this machine's.

    Args:
        url: Such as `http://127.0.0.1:8000`.
        key: An API key, where the server asks for one.
    """
    return Server(url or os.environ.get("ASSAY_URL") or DEFAULT_URL, key)


def experiment(key: str, *, project: str = "default") -> Experiment:
    """An experiment of the Assay at `ASSAY_URL`, else of this machine's."""
    return connect().experiment(key, project=project)


def _segments(segments: Sequence[str] | Mapping[str, int]) -> list[dict[str, Any]]:
    if isinstance(segments, Mapping):
        return [{"key": key, "top": top} for key, top in segments.items()]
    return [{"key": key} for key in segments]


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
