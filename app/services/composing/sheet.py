"""The composer's right-hand side: decks, job script, files, checks, differences and the picture of the structure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.crystal.decks.rendering import written_roles
from app.domain.differences import difference
from app.domain.names import remote_name, suggest_name
from app.domain.people.permissions import Actor, require
from app.domain.resources import Resources, read_resources
from app.domain.templates.releases import Demand, unproved
from app.errors import ClusterBroken, FieldError, InvalidInput, NotFound
from app.library.drafting import Wanted
from app.library.templates import Rendering
from app.services.catalogue import reviews
from app.services.catalogue.reviews import Standing
from app.services.catalogue.templates import refresh
from app.services.clusters import registry as clusters
from app.services.clusters.registry import ClusterView
from app.services.composing.forms import Draft, with_resources
from app.services.context import Context
from app.services.jobs import views as jobs
from app.services.jobs.attachments import NamedFile, gather, offers
from app.services.jobs.creation import check_fits, check_release
from app.services.jobs.estimates import Advice, advise
from app.services.running.packages import job_script


@dataclass(frozen=True)
class Sheet:
    """All that a page shows of a draft beside its fields."""

    rendering: Rendering
    script: str
    clusters: list[ClusterView]
    errors: dict[str, str] = field(default_factory=dict)
    visible: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()
    suggested_name: str = ""
    attached: list[NamedFile] = field(default_factory=list)
    offers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    changes: str = ""
    """Difference to the parent job's decks, or to what the form wrote before the hand took over."""
    view: dict[str, Any] | None = None
    advice: Advice | None = None
    chosen: ClusterView | None = None
    standing: Standing = field(default_factory=Standing)
    abilities: list[str] = field(default_factory=list)
    unproved: list[Demand] = field(default_factory=list)
    """Answers that need a release of CRYSTAL which the chosen cluster may not have: its own is not known."""

    @property
    def findings(self) -> int:
        """Number of findings in all decks."""
        return sum(len(findings) for findings in self.rendering.findings.values())

    @property
    def worst(self) -> str:
        """The worst severity among the findings."""
        severities = {finding.severity for listed in self.rendering.findings.values() for finding in listed}
        return next((word for word in ("error", "warning", "note") if word in severities), "")


async def sheet(context: Context, actor: Actor, draft: Draft) -> Sheet:
    """Render what the draft makes; wrong answers become errors beside their fields."""
    require(actor, "job.create")
    await refresh(context)
    spec = draft.template.spec
    gathered = await gather(context, actor, spec.id, draft.parameters)
    wanted = Wanted(look=True, states=draft.values)
    rendering = await context.renderer.try_render(actor.user_id, spec.id, draft.parameters, gathered.supplies, wanted)
    drafted = rendering.drafted
    known = await clusters.all_of(context, actor)
    chosen = next((view for view in known if view.cluster.name == draft.cluster), clusters.first_usable(known))
    script, errors = _script(chosen, rendering, draft)
    errors += rendering.errors
    if rendering.decks:
        errors += await gathered.errors(context.workers, actor.user_id, rendering)
    errors += draft.error.fields if draft.error else []
    shown = [e for e in errors if draft.error or (draft.asked and e.value != "")]
    return Sheet(
        rendering,
        script,
        known,
        {error.field: error.reason for error in shown},
        drafted.visible,
        drafted.disabled,
        suggest_name(f"{rendering.title}-{spec.id}"),
        attached=[file for file in gathered.files if file.spec.key in rendering.values],
        offers=await offers(context, actor, [need for need in spec.needs if need.key in drafted.visible]),
        changes=await _changes(context, actor, draft, rendering),
        view=drafted.view,
        advice=await _advice(context, actor, draft, chosen, rendering),
        chosen=chosen,
        standing=await reviews.standing(context, actor, draft.template),
        abilities=reviews.abilities(draft.template),
        unproved=unproved(spec, rendering.values, chosen.cluster.program) if chosen else [],
    )


async def _advice(
    context: Context, actor: Actor, draft: Draft, chosen: ClusterView | None, rendering: Rendering
) -> Advice | None:
    """What similar finished jobs took."""
    if chosen is None or not rendering.decks:
        return None
    try:
        cores = read_resources(dict(draft.resources)).cores
    except InvalidInput:
        cores = 1
    template = draft.template.spec.id
    return await advise(context, actor, template, chosen.cluster.name, rendering.drafted.atoms, cores)


async def with_advice(context: Context, actor: Actor, draft: Draft, which: str) -> Draft:
    """The form with a preset of its cluster in its resources, or (`which` empty) with what similar jobs took."""
    shown = await sheet(context, actor, draft)
    presets = shown.chosen.settings.presets if shown.chosen else {}
    if which in presets:
        return with_resources(draft, presets[which], f"Preset {which}")
    if shown.advice is None:
        raise NotFound("No similar jobs are known.", hint="Fill in the resources yourself.")
    values = {"walltime": shown.advice.walltime, "memory_mb": shown.advice.memory_mb}
    return with_resources(draft, values, f"From {shown.advice.estimate.jobs} similar jobs")


async def _changes(context: Context, actor: Actor, draft: Draft, rendering: Rendering) -> str:
    before = draft.origin
    if draft.parent and not before:
        before = (await jobs.get(context, actor, draft.parent)).job.decks
    if not before or not rendering.decks:
        return ""
    return await context.workers.run(actor.user_id, difference, before, rendering.decks)


def _script(chosen: ClusterView | None, rendering: Rendering, draft: Draft) -> tuple[str, list[FieldError]]:
    try:
        resources: Resources = read_resources(dict(draft.resources))
        if chosen is None or not rendering.decks:
            return "", []
        check_fits(chosen.cluster, resources)
        check_release(chosen.cluster, rendering)
        name = remote_name(draft.name or suggest_name(str(rendering.values.get("title", ""))), "id")
        return job_script(chosen.settings, name, "token", list(written_roles(rendering.decks)), resources), []
    except ClusterBroken as error:
        return "", [FieldError("cluster", error.message)]
    except InvalidInput as error:
        return "", list(error.fields)
