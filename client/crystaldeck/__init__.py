"""CrystalDeck from a notebook: write a workflow as Python objects, send it to the service, wait for its results."""

from crystaldeck.server import Failed, Server
from crystaldeck.workflows import Workflow, WorkflowStep

__all__ = ["Failed", "Server", "Workflow", "WorkflowStep"]
