from assay.notebook.bundles import open_bundle as open_bundle
from assay.notebook.bundles import reproduce as reproduce
from assay.notebook.files import analyze_file as analyze_file
from assay.notebook.result import Result as Result
from assay.notebook.server import connect as connect
from assay.notebook.server import experiment as experiment

__version__: str
