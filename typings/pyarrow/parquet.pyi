from pathlib import Path
from typing import Any

from pyarrow import Table

def read_table(source: str | Path, *, columns: list[str] | None = ...) -> Table: ...
def write_table(table: Table, where: str | Path, *, compression: str = ..., **kwargs: Any) -> None: ...
