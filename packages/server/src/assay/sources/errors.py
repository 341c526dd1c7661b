"""How a table can refuse to be analysed."""

from assay.shared.errors import Invalid


class UnreadableTable(Invalid):
    """The file cannot be read as a table."""

    code = "unreadable_table"


class UnknownColumn(Invalid):
    """The table has no such column."""

    code = "unknown_column"


class UnusableColumn(Invalid):
    """The column cannot be measured as it is."""

    code = "unusable_column"
