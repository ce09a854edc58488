"""The app's routes in one flat list, those that are asked for most in front.

The framework keeps each router that is included as a tree of its own, and looks through it for every request, and again for
what it found: with a hundred and fifty routes that cost more than many a handler.
"""

from collections.abc import Sequence
from inspect import signature

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

_OPTIONS = signature(APIRouter.add_api_route).parameters.keys() - {"self", "path", "endpoint", "route_class_override"}


class FlatApp(FastAPI):
    """An included router's routes become the app's own, in their order; their settings are the router's, else the app's. What
    an inclusion could add (a prefix, dependencies) is refused, so that nobody takes it for given."""

    def include_router(self, router: APIRouter) -> None:  # type: ignore[override]
        for route in router.routes:
            if isinstance(route, APIRoute):
                own = {name: getattr(route, name) for name in _OPTIONS if hasattr(route, name)}
                own["include_in_schema"] = route.include_in_schema and router.include_in_schema
                self.router.add_api_route(route.path, route.endpoint, route_class_override=type(route), **own)
            else:
                self.router.routes.append(route)

    def look_first_at(self, paths: Sequence[str]) -> None:
        """Puts the routes of these paths in front, in this order. None of them may match what another route is for."""
        places = {path: place for place, path in enumerate(paths)}
        self.router.routes.sort(key=lambda one: places.get(getattr(one, "path", ""), len(places)))
