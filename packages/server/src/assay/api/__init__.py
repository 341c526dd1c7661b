"""The HTTP API: joins the routers of the domains and translates failures."""
