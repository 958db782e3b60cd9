"""Batch systems by the name that a cluster's settings give. Every module of this package that registers one is found."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TypeVar

import app.runners
from app.runners.base import BaseRunner
from app.runners.batch_systems import RunnerType
from app.settings import RUNNER_TYPES

T = TypeVar("T", bound=type[BaseRunner])
_RUNNERS: dict[str, type[BaseRunner]] = {}
_TYPES: dict[str, RunnerType] = {}


def register(runner: T) -> T:
    """A decorator: clusters may name this batch system from now on."""
    for runner_type in runner.runner_types:
        _RUNNERS[runner_type.name], _TYPES[runner_type.name] = runner, runner_type
        RUNNER_TYPES.setdefault(runner_type.name, runner_type.title)
    return runner


def runner_class(runner_type: str) -> type[BaseRunner]:
    """The batch system behind one value of the setting `runner_type`.

    Raises:
        KeyError: no batch system has registered it; settings with such a value are refused before.
    """
    return _RUNNERS[runner_type]


def place_of(runner_type: str) -> RunnerType:
    """What one value of the setting `runner_type` stands for.

    Raises:
        KeyError: as `runner_class`.
    """
    return _TYPES[runner_type]


def aiida_scheduler(runner_type: str) -> str:
    """The plugin of AiiDA for a batch system; that of none where a stored job names one that is not known any more."""
    return _RUNNERS[runner_type].aiida_scheduler if runner_type in _RUNNERS else BaseRunner.aiida_scheduler


def remote_types() -> list[RunnerType]:
    """Those that a page may offer, the most usual first: machines that are reached over SSH."""
    return [_TYPES[name] for name in RUNNER_TYPES if name in _TYPES and _TYPES[name].host is not False]


for _module in sorted(module.name for module in pkgutil.iter_modules(app.runners.__path__)):
    import_module(f"app.runners.{_module}")
