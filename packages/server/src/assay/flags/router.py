"""Joins the routes of flags, segments, layers and holdouts."""

from fastapi import APIRouter

from assay.flags import environment_routes, flag_routes, part_routes, ruleset_routes

router = APIRouter()
for routes in (flag_routes, environment_routes, ruleset_routes, part_routes):
    router.include_router(routes.router)
