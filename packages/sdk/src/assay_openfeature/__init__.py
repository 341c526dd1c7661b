"""The Python SDK of Assay: an OpenFeature provider."""
