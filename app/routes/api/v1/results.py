"""What a job computed, as numbers: the same that its page draws. JSON, and CSV where columns are of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response

from app.domain.drawing.spectra import Shape
from app.domain.drawing.tabular import as_csv
from app.domain.drawing.thermal import thermal_columns
from app.routes.deps import ActorDep, ContextDep
from app.services.results import analyses, curves, electronic, equations, vibrations
from app.services.results import geometries as pictures
from app.services.results import remedies as rerun

router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["results"])
Format = Annotated[Literal["json", "csv"], Query(alias="format")]
Limit = Annotated[float | None, Query(ge=0, le=20_000)]


def _written(text: str | bytes, name: str) -> Response:
    """JSON comes as bytes, CSV as a text."""
    if isinstance(text, bytes):
        return Response(text, media_type="application/json")
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return PlainTextResponse(text, media_type="text/csv; charset=utf-8", headers=headers)


def _csv(columns: Mapping[str, Sequence[Any]], name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return PlainTextResponse(as_csv(columns), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/convergence", response_model=None)
async def get_convergence(
    context: ContextDep, actor: ActorDep, job_id: str, scf: int = -1, since: int = 0, points: int = 0, form: Format = "json",
) -> dict[str, Any] | Response:  # fmt: skip
    """SCF cycles and points of an optimisation, while the job runs too; `since` and `points` ask for what is new."""
    found = await curves.convergence(context, actor, job_id, scf=scf, since=since, points=points)
    return _csv(curves.csv_columns(found), f"{job_id}-convergence") if form == "csv" else found


@router.get("/bands", response_model=None)
async def get_bands(context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json") -> Response:
    """Bands and density of states. Energies in hartree from the Fermi energy; as CSV the bands in eV."""
    found = await electronic.electronic(context, actor, job_id)
    return _written(await electronic.numbers(context, actor.user_id, found, "bands", form), f"{job_id}-bands")


@router.get("/dos", response_model=None)
async def get_dos(
    context: ContextDep, actor: ActorDep, job_id: str, dos_of: str = "", form: Format = "json"
) -> Response:
    """Densities of states by projection and spin. Hartree and states/(Ha·cell); as CSV eV and states/(eV·cell)."""
    found = await electronic.electronic(context, actor, job_id, dos_of=dos_of)
    return _written(await electronic.numbers(context, actor.user_id, found, "dos", form), f"{job_id}-dos")


@router.get("/modes", response_model=None)
async def get_modes(
    context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json"
) -> dict[str, Any] | Response:
    """Vibrations at Γ: frequency in cm⁻¹, irrep, infrared intensity in km/mol, Raman intensity in arbitrary units."""
    modes = await vibrations.modes_of(context, actor, job_id)
    if form == "csv":
        return _csv(vibrations.mode_columns(modes), f"{job_id}-modes")
    return {"job": job_id, "modes": modes}


@router.get("/modes/{mode}")
async def get_mode(context: ContextDep, actor: ActorDep, job_id: str, mode: int) -> dict[str, Any]:
    """How the atoms move in one mode; the farthest moves 1 Å."""
    return await pictures.vibration(context, actor, job_id, mode)


@router.get("/spectrum", response_model=None)
async def get_spectrum(
    context: ContextDep, actor: ActorDep, job_id: str, kind: vibrations.Kind = "ir", width: float = vibrations.WIDTH,
    shape: Shape = "lorentzian", low: Limit = None, high: Limit = None, form: Format = "json",
) -> dict[str, Any] | Response:  # fmt: skip
    """An infrared or Raman spectrum, broadened: `width` is the full width at half maximum in cm⁻¹."""
    limits = (low, high) if low is not None and high is not None and high > low else None
    found = await vibrations.spectrum(context, actor, job_id, kind, width, shape, limits)
    if form == "csv":
        columns = {"wavenumber_cm1": found.wavenumbers, "intensity": found.intensities}
        return _csv(columns, f"{job_id}-{kind}")
    return {
        "job": job_id, "kind": kind, "width": width, "shape": shape, "lines": found.lines,
        "wavenumbers_cm1": found.wavenumbers, "intensities": found.intensities,
    }  # fmt: skip


@router.get("/phonons")
async def get_phonons(context: ContextDep, actor: ActorDep, job_id: str) -> dict[str, Any]:
    """Phonon branches by k point."""
    return await vibrations.dispersion(context, actor, job_id)


@router.get("/phonon-dos", response_model=None)
async def get_phonon_dos(
    context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json"
) -> dict[str, Any] | Response:
    """Density of phonon states by projection: cm⁻¹ and states/(cm⁻¹·cell)."""
    columns = (await vibrations.phonon_dos(context, actor, job_id)).columns()
    if form == "csv":
        return _csv(columns, f"{job_id}-phonon-dos")
    return {"job": job_id, **columns}


@router.get("/trajectory", response_model=None)
async def get_trajectory(
    context: ContextDep,
    actor: ActorDep,
    job_id: str,
    form: Annotated[Literal["json", "xyz"], Query(alias="format")] = "json",
) -> dict[str, Any] | Response:
    """Geometries by point of the optimisation, in Å; as extended XYZ for other programs."""
    if form == "xyz":
        headers = {"content-disposition": f'attachment; filename="{job_id}.xyz"'}
        return PlainTextResponse(await pictures.as_xyz(context, actor, job_id), headers=headers)
    return await pictures.trajectory(context, actor, job_id)


@router.get("/cubes/{name:path}")
async def get_cube(context: ContextDep, actor: ActorDep, job_id: str, name: str) -> dict[str, Any]:
    """A cube file, coarser where it is large, for a picture; the file itself is among the job's files."""
    text, value = await pictures.surface(context, actor, job_id, name)
    return {"job": job_id, "name": name, "value": value, "cube": text}


@router.get("/equation-of-state", response_model=None)
async def get_equation(
    context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json"
) -> dict[str, Any] | Response:
    """Energy over volume with our Birch–Murnaghan fit, and `fits` of the program. Å³, hartree, GPa."""
    found = await equations.equation_of_state(context, actor, job_id)
    if form == "csv":
        return _csv({"volume_a3": found.volumes, "energy_ha": found.energies}, f"{job_id}-eos")
    return {"job": job_id, "volumes": found.volumes, "energies": found.energies, "fit": found.fit, "fits": found.fits}


@router.get("/maps", response_model=None)
async def get_maps(
    context: ContextDep, actor: ActorDep, job_id: str, number: Annotated[int, Query(ge=1)] = 1, form: Format = "json"
) -> Response:
    """Maps in a plane with corners and steps in bohr; as CSV one of them, counted from 1, with places in Å."""
    return _written(await analyses.maps(context, actor, job_id, number, form), f"{job_id}-map-{number}")


@router.get("/transport", response_model=None)
async def get_transport(
    context: ContextDep, actor: ActorDep, job_id: str, quantity: analyses.Quantity = "sigma", form: Format = "json"
) -> Response:
    """A transport coefficient over temperature (K) and chemical potential (eV), in the unit of CRYSTAL's file."""
    found = await analyses.transport(context, actor, job_id, quantity, form)
    return _written(found, f"{job_id}-{quantity}")


@router.get("/populations", response_model=None)
async def get_populations(
    context: ContextDep, actor: ActorDep, job_id: str, kind: analyses.Populations = "coop", form: Format = "json"
) -> Response:
    """Overlap or Hamilton populations over the energy, values as CRYSTAL wrote them. Hartree; as CSV eV."""
    return _written(await analyses.populations(context, actor, job_id, kind, form), f"{job_id}-{kind}")


@router.get("/diffraction", response_model=None)
async def get_diffraction(
    context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json"
) -> dict[str, Any] | Response:
    """A powder pattern: 2θ in degrees; intensities bare, with Lorentz and polarisation factors, with thermal motion too."""
    columns = await analyses.pattern(context, actor, job_id)
    return _csv(columns, f"{job_id}-diffraction") if form == "csv" else {"job": job_id, **columns}


@router.get("/thermal", response_model=None)
async def get_thermal(
    context: ContextDep, actor: ActorDep, job_id: str, form: Format = "json"
) -> dict[str, Any] | Response:
    """Tables of the quasi-harmonic approximation over temperature and pressure; headings and units are CRYSTAL's own."""
    tables = await equations.thermal_tables(context, actor, job_id)
    if form == "csv":
        return _csv(thermal_columns(tables), f"{job_id}-qha")
    return {"job": job_id, "tables": tables}


@router.get("/remedies")
async def get_remedies(context: ContextDep, actor: ActorDep, job_id: str) -> dict[str, Any]:
    """Why a job failed, and what can be done: each remedy with the parameters and resources that it would change."""
    found = await rerun.remedies_of(context, actor, job_id)
    return {"job": job_id, **found.as_dict()}
