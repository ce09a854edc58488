"""Adds the estimated wait to every ticket that is shown."""

from fastapi import FastAPI

from dawr.platform.services import Services
from dawr.tickets.queries import WAIT
from dawr.waits.queries import Waits


def mount(_: FastAPI, services: Services) -> None:
    services.additions[WAIT] = Waits()
