"""Joins the routes of experiments."""

from fastapi import APIRouter

from assay.experiments import crud_routes, log_routes, moving_routes, planning_routes, salt_routes

router = APIRouter()
for routes in (crud_routes, planning_routes, moving_routes, log_routes, salt_routes):
    router.include_router(routes.router)
