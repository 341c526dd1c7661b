from assay.notebook.files import analyze_file as analyze_file
from assay.notebook.result import Result as Result
from assay.notebook.server import connect as connect
from assay.notebook.server import experiment as experiment

__version__: str
