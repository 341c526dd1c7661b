"""How a table can refuse to be analysed."""

from assay.shared.errors import Conflict, Invalid, NotFound


class UnreadableTable(Invalid):
    """The file cannot be read as a table."""

    code = "unreadable_table"


class UnknownColumn(Invalid):
    """The table has no such column."""

    code = "unknown_column"


class UnusableColumn(Invalid):
    """The column cannot be measured as it is."""

    code = "unusable_column"


class UnusableTable(Invalid):
    """The table cannot answer what is asked of it."""

    code = "unusable_table"


class UnknownTable(Invalid):
    """The input names a table that the project does not have."""

    code = "unknown_table"


class ConnectionNotFound(NotFound):
    """The project has no such connection."""

    code = "connection_not_found"


class TableNotFound(NotFound):
    """The project has no such table."""

    code = "table_not_found"


class UnknownConnection(Invalid):
    """The input names a connection that the project does not have."""

    code = "unknown_connection"


class ConnectionKeyTaken(Conflict):
    """The project has a connection with this key already."""

    code = "connection_key_taken"


class TableKeyTaken(Conflict):
    """The project has a table with this key already."""

    code = "table_key_taken"


class ConnectionInUse(Conflict):
    """Tables stand on the connection."""

    code = "connection_in_use"


class MissingSecret(Invalid):
    """The environment does not hold a secret that a connection refers to."""

    code = "missing_secret"


class MissingExtra(Invalid):
    """The connection needs a library that is not installed."""

    code = "missing_extra"


class PlaceNotAllowed(Invalid):
    """The path lies outside the folders that sources may be read from."""

    code = "place_not_allowed"


class ConnectionFailed(Invalid):
    """The engine behind a connection cannot be reached, or refuses."""

    code = "connection_failed"


class NotReadOnly(Invalid):
    """The statement is not one plain SELECT."""

    code = "not_read_only"


class QueryFailed(Invalid):
    """The engine could not run the query."""

    code = "query_failed"


class QueryTooLarge(Invalid):
    """The query would scan more bytes than allowed; nothing was run."""

    code = "query_too_large"


class QueryTimeout(Invalid):
    """The query took longer than allowed and was stopped; it has no result."""

    code = "query_timeout"


class QueryCancelled(Invalid):
    """The query was stopped because somebody asked for it; it has no result."""

    code = "query_cancelled"
