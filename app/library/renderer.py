"""Decks for the services: each rendering is one call of a worker process, in its user's turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crystal.decks.facts import Supplies
from app.errors import ConfigurationError, CrystalDeckError, WorkStopped
from app.library.drafting import Drafted, MissingBasis, Wanted, draft
from app.library.template_files import Template
from app.library.templates import Rendering, TemplateLibrary
from app.workers.pool import Workers

SECONDS = 10.0
"""That one set of answers may take."""
_MOST_SETS = 120
"""A template names at most one basis set for each element."""


class Renderer:
    """Makes decks of templates and answers; nothing of it happens in the service's own process."""

    def __init__(self, templates: TemplateLibrary, workers: Workers) -> None:
        self._templates = templates
        self._workers = workers

    async def render(
        self,
        user: int,
        template_id: str,
        raw: dict[str, Any],
        supplies: Supplies | None = None,
        *,
        wanted: Wanted = Wanted(),  # noqa: B008  (frozen)
        patient: bool = False,
    ) -> Rendering:
        """Decks for these answers.

        Args:
            user: for whom; users take turns. patient: work of the background.
            wanted: what is asked for beside decks and findings.

        Raises:
            InvalidInput: names every wrong field, or the limit that was reached. ConfigurationError: the template's fault.
        """
        template = self._templates.get(template_id)
        drafted = await self._drafted(user, template, raw, supplies, wanted, patient)
        return Rendering(template, drafted).required()

    async def try_render(
        self,
        user: int,
        template_id: str,
        raw: dict[str, Any],
        supplies: Supplies | None = None,
        wanted: Wanted = Wanted(look=True),  # noqa: B008  (frozen)
    ) -> Rendering:
        """Like `render`, but wrong answers come back as errors beside the values that were right."""
        return await self.try_template(user, self._templates.get(template_id), raw, supplies, wanted)

    async def try_template(
        self,
        user: int,
        template: Template,
        raw: dict[str, Any],
        supplies: Supplies | None = None,
        wanted: Wanted = Wanted(look=True),  # noqa: B008  (frozen)
    ) -> Rendering:
        """`try_render` of a template that need not be in the library."""
        try:
            return Rendering(template, await self._drafted(user, template, raw, supplies, wanted, patient=False))
        except (WorkStopped, ConfigurationError) as error:
            return Rendering(template, Drafted({}, message=error.sentence, fault=error))

    async def _drafted(
        self,
        user: int,
        template: Template,
        raw: dict[str, Any],
        supplies: Supplies | None,
        wanted: Wanted,
        patient: bool,
    ) -> Drafted:
        given = supplies or Supplies()
        names = _named(raw, self._templates.basis_names)
        recipe = self._templates.recipe(template)
        for _ in range(_MOST_SETS):
            basis = {name: self._templates.saved.basis[name].text for name in names}
            try:
                return await self._workers.run(
                    user, draft, recipe, raw, given, basis, wanted, seconds=SECONDS, patient=patient
                )
            except MissingBasis as missing:
                # Its name stands in no answer: a default or an expression gave it.
                names = {*names, missing.name}
            except WorkStopped as error:
                raise _named_stop(template, error) from error
        raise CrystalDeckError(f"{template.spec.id} names too many basis sets.", hint="Use one basis set per element.")


def _named_stop(template: Template, error: WorkStopped) -> WorkStopped:
    return WorkStopped(
        f"The template {template.spec.id}: {error.message[0].lower()}{error.message[1:]}",
        hint="Try smaller values; if none works, tell the template's author.",
    )


def _named(raw: Mapping[str, Any], names: tuple[str, ...]) -> set[str]:
    """Basis sets that the answers name."""
    basis_names = {str(raw.get("basis_library", ""))}
    rows = raw.get("basis_elements") or ()
    if isinstance(rows, str):
        basis_names.update(rows.replace(",", " ").split())
    else:
        for row in rows if isinstance(rows, (list, tuple)) else ():
            basis_names.update(
                map(str, row.values() if isinstance(row, dict) else row if isinstance(row, list) else ())
            )
    return {name for name in names if name in basis_names}
