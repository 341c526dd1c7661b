"""Joins the pages into the app."""

from fastapi import FastAPI

from assay.web import (
    archive,
    assets,
    documentation,
    experiment,
    failures,
    home,
    project,
    recut,
    report,
    report_actions,
    shared,
)


def mount(app: FastAPI) -> None:
    """Adds the pages, their files, and pages for failures; call it after failures have been translated."""
    for section in (
        assets,
        documentation,
        home,
        archive,
        project,
        experiment,
        recut,
        report,
        report_actions,
        shared,
    ):
        app.include_router(section.router)
    failures.install(app)
