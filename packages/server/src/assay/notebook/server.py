"""A running Assay from a notebook: plain synchronous calls, because a notebook has a loop of its own."""

import os
import time
from dataclasses import dataclass
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

    def post(self, path: str) -> Any:  # noqa: ANN401 — JSON
        """Begins work."""
        return self._ask("POST", path)

    def _ask(self, method: str, path: str) -> Any:  # noqa: ANN401 — JSON
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            answer = httpx2.request(
                method, f"{self.url.rstrip('/')}{path}", headers=headers, timeout=TIMEOUT_SECONDS
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

    def analyze(self, *, wait_seconds: float = 600.0) -> Result:
        """The result of what is known now, computed by the server.

        Raises:
            ServerRefused: There is no such experiment, or the analysis failed; the message says why.
            AnalysisTooSlow: It is not finished after the wait; it goes on, and `latest` will have it.
        """
        task = self.server.post(self._results)
        deadline = time.monotonic() + wait_seconds
        while task["state"] in {"PENDING", "PROCESSING"}:
            if time.monotonic() > deadline:
                raise AnalysisTooSlow(
                    f"the analysis of {self.key!r} is still at work ({task['note']}) after "
                    f"{wait_seconds:g} s; ask latest() later"
                )
            time.sleep(POLL_SECONDS)
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


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
