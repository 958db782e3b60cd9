"""Who may do what at which address: one entry for every route of the application. See `tests/security/web/test_routes.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.people.permissions import Role, Scope
from tests.support.service import lih, mgo
from tests.support.world import LINK, starter, workflow


@dataclass(frozen=True)
class Entry:
    """One route: the least role and scope, and how to make a valid request of it.

    `{job}`, `{batch}`, `{run}` … in the path and in texts of the request stand for an object of the person whose turn it is.
    `owned`: only for the owner of that object, and for maintainers. `each`: every object answers for itself; the request is
    answered, and leaves alone what belongs to somebody else.
    """

    role: Role | None
    scope: Scope | None
    path: str
    ok: int = 200
    owned: bool = False
    each: bool = False
    send: Mapping[str, Any] = field(default_factory=dict)


def read(path: str, ok: int = 200, **send: Any) -> Entry:
    """Everybody who is known may look."""
    return Entry(Role.VIEWER, Scope.JOBS_READ, path, ok, send=send)


def write(path: str, ok: int = 303, **send: Any) -> Entry:
    """Members make things, and use clusters."""
    return Entry(Role.MEMBER, Scope.JOBS_WRITE, path, ok, send=send)


def own(path: str, ok: int = 303, **send: Any) -> Entry:
    """Members change what is theirs, maintainers everything."""
    return Entry(Role.MEMBER, Scope.JOBS_WRITE, path, ok, owned=True, send=send)


def machine(path: str, ok: int = 303, **send: Any) -> Entry:
    """Maintainers change clusters."""
    return Entry(Role.MAINTAINER, Scope.CLUSTERS_WRITE, path, ok, send=send)


def public(path: str, ok: int = 200, **send: Any) -> Entry:
    """Whoever comes."""
    return Entry(None, None, path, ok, send=send)


FORM = {f"p_{key}": str(value) for key, value in lih().items() if key != "atoms"} | {
    "p_atoms": "Li 0 0 0\nH 0.5 0.5 0.5", "cluster": "here", "r_ntasks": "1", "r_walltime": "00:10:00", "key": "k",
}  # fmt: skip
JOB = {"template": "scf", "cluster": "here", "parameters": mgo()}
CIF = ("MgO.cif", b"data_x\n_cell_length_a 4.21\n_cell_length_b 4.21\n_cell_length_c 4.21\n_cell_angle_alpha 90\n"
       b"_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n"
       b"_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nMg1 Mg 0 0 0\nO1 O 0.5 0.5 0.5\n",
       "chemical/x-cif")  # fmt: skip
BASIS = {"name": "{basis}", "text": "1 1\n0 0 3 1.0 1.0\n3.4 0.15\n0.6 0.53\n0.16 0.44\n", "source": "a test"}
TEXTS = {f"text_{name}": text for name, text in starter("t_new").items()} | {"version": "0"}
EDITOR = {"name": "w_new", "title": "New"}

API: dict[str, Entry] = {
    "GET /api/v1/openapi.json": public("/api/v1/openapi.json"),
    "GET /api/v1/templates": read("/api/v1/templates"),
    "GET /api/v1/templates/schema": read("/api/v1/templates/schema"),
    "GET /api/v1/templates/{template_id}/schema": read("/api/v1/templates/{template}/schema"),
    "POST /api/v1/templates/{template_id}/render": read("/api/v1/templates/scf/render", json={"parameters": mgo()}),
    "PUT /api/v1/templates/{template_id}/review": Entry(
        Role.MAINTAINER, Scope.JOBS_WRITE, "/api/v1/templates/{template}/review", 409, send={"json": {"revision": "x"}}
    ),
    "POST /api/v1/templates": Entry(
        Role.MEMBER, Scope.JOBS_WRITE, "/api/v1/templates", 201, owned=True, send={"json": {"files": {}}}
    ),
    "GET /api/v1/structures": read("/api/v1/structures"),
    "POST /api/v1/structures": write("/api/v1/structures", 200, files={"file": CIF}),
    "POST /api/v1/decks/check": read("/api/v1/decks/check", json={"text": "x\nEND\n"}),
    "POST /api/v1/files": write("/api/v1/files", 201, files={"file": ("fort.9", b"x", "application/octet-stream")}),
    "GET /api/v1/basis-sets": read("/api/v1/basis-sets"),
    "POST /api/v1/basis-sets": own("/api/v1/basis-sets", 201, json=BASIS),
    "POST /api/v1/queue/actions": Entry(
        Role.MEMBER,
        Scope.JOBS_WRITE,
        "/api/v1/queue/actions",
        each=True,
        send={"json": {"action": "cancel", "ids": ["{job}"]}},
    ),
    "POST /api/v1/queue/pause": machine("/api/v1/queue/pause", 204, json={"cluster": "here"}),
    "POST /api/v1/queue/resume": machine("/api/v1/queue/resume", 204, json={"cluster": "here"}),
    "GET /api/v1/jobs/{job_id}/waiting": read("/api/v1/jobs/{job}/waiting"),
    "GET /api/v1/batches": read("/api/v1/batches"),
    "POST /api/v1/batches": write(
        "/api/v1/batches",
        201,
        json={"template": "scf", "cluster": "here", "parameters": mgo(), "rows": [{"parameters": {"a": 4.2}}]},
    ),
    "GET /api/v1/batches/{batch_id}": read("/api/v1/batches/{batch}"),
    "POST /api/v1/batches/{batch_id}/structures": own("/api/v1/batches/{batch}/structures", 201, files={"files": CIF}),
    "POST /api/v1/batches/{batch_id}/submit": own("/api/v1/batches/{batch}/submit", 202),
    "POST /api/v1/batches/{batch_id}/retry": own("/api/v1/batches/{aside}/retry", 200),
    "DELETE /api/v1/batches/{batch_id}": own("/api/v1/batches/{batch}", 204),
    "GET /api/v1/estimates": read("/api/v1/estimates?template=scf&cluster=here"),
    "GET /api/v1/comparison": read("/api/v1/comparison?id={job}&id={second}"),
    "GET /api/v1/download": read("/api/v1/download?id={job}"),
    **{
        f"GET /api/v1/jobs/{{job_id}}/{name}": read(f"/api/v1/jobs/{{job}}/{name}", 404)
        for name in (
            "bands",
            "dos",
            "modes",
            "spectrum",
            "phonons",
            "phonon-dos",
            "trajectory",
            "equation-of-state",
            "thermal",
            "maps",
            "transport",
            "diffraction",
            "populations",
        )
    },
    "GET /api/v1/jobs/{job_id}/convergence": read("/api/v1/jobs/{job}/convergence"),
    "GET /api/v1/jobs/{job_id}/modes/{mode}": read("/api/v1/jobs/{job}/modes/1", 404),
    "GET /api/v1/jobs/{job_id}/cubes/{name:path}": read("/api/v1/jobs/{job}/cubes/DENS_CUBE.DAT", 404),
    "GET /api/v1/jobs/{job_id}/cluster-files": read("/api/v1/jobs/{job}/cluster-files", 409),
    "GET /api/v1/jobs/{job_id}/pieces/{name:path}": read("/api/v1/jobs/{job}/pieces/scf.out"),
    "GET /api/v1/jobs/{job_id}/remedies": read("/api/v1/jobs/{job}/remedies"),
    "GET /api/v1/clusters": read("/api/v1/clusters"),
    "POST /api/v1/clusters": machine(
        "/api/v1/clusters", 201, json={"name": "new", "settings": {"hostname": "new.example.org"}}
    ),
    "GET /api/v1/clusters/{name}": read("/api/v1/clusters/here"),
    "PATCH /api/v1/clusters/{name}": machine(
        "/api/v1/clusters/spare", 200, json={"settings": {"setup": "module load X"}}
    ),
    "DELETE /api/v1/clusters/{name}": machine("/api/v1/clusters/spare", 204),
    "POST /api/v1/jobs": write("/api/v1/jobs", 201, json=JOB),
    "GET /api/v1/jobs": read("/api/v1/jobs?owner=otto"),
    "GET /api/v1/jobs/{job_id}": read("/api/v1/jobs/{job}"),
    "POST /api/v1/jobs/{job_id}/cancel": own("/api/v1/jobs/{job}/cancel", 202),
    "GET /api/v1/jobs/{job_id}/files": read("/api/v1/jobs/{job}/files"),
    "GET /api/v1/jobs/{job_id}/files/{name:path}": read("/api/v1/jobs/{job}/files/scf.out"),
    "GET /api/v1/workflows": read("/api/v1/workflows"),
    "POST /api/v1/workflows": Entry(
        Role.MEMBER,
        Scope.JOBS_WRITE,
        "/api/v1/workflows",
        201,
        owned=True,
        send={"json": {"definition": workflow("{workflow}")}},
    ),
    "POST /api/v1/workflows/check": read("/api/v1/workflows/check", json=workflow("w_new")),
    "GET /api/v1/workflows/{name}": read("/api/v1/workflows/{workflow}"),
    "DELETE /api/v1/workflows/{name}": own("/api/v1/workflows/{workflow}", 204),
    "GET /api/v1/runs": read("/api/v1/runs"),
    "POST /api/v1/runs": write("/api/v1/runs", 201, json={"definition": workflow("w_new"), "cluster": "here"}),
    "GET /api/v1/runs/{run_id}": read("/api/v1/runs/{run}"),
    "POST /api/v1/runs/{run_id}/pause": own("/api/v1/runs/{run}/pause", 200),
    "POST /api/v1/runs/{run_id}/resume": own("/api/v1/runs/{paused}/resume", 200),
    "POST /api/v1/runs/{run_id}/cancel": own("/api/v1/runs/{run}/cancel", 200),
    "POST /api/v1/runs/{run_id}/rerun": write("/api/v1/runs/{ended}/rerun", 201, json={}),
    "POST /api/v1/runs/{run_id}/steps/{step}/decision": own(
        "/api/v1/runs/{run}/steps/scf/decision", 200, json={"choice": "give_up"}
    ),
    "GET /api/v1/runs/{run_id}/export": read("/api/v1/runs/{ended}/export"),
    "GET /api/v1/runs/{run_id}/provenance": read("/api/v1/runs/{run}/provenance"),
    "GET /api/v1/jobs/{job_id}/provenance": read("/api/v1/jobs/{job}/provenance"),
    "GET /api/v1/events": read("/api/v1/events"),
}

PAGES: dict[str, Entry] = {
    "GET /healthz": public("/healthz"),
    "GET /readyz": public("/readyz"),
    "GET /live": read("/live"),
    "GET /login": public("/login"),
    "POST /login": public("/login", 401, data={"name": "nobody", "password": "not the right one"}),
    "POST /logout": public("/logout", 303),
    "GET /setup/{token}": public(f"/setup/{LINK}"),
    "POST /setup/{token}": public(
        f"/setup/{LINK}", 303, data={"name": "newcomer", "password": "a long enough password"}
    ),
    "GET /": public("/", 303),
    "GET /jobs": read("/jobs"),
    "POST /jobs/actions": Entry(
        Role.MEMBER,
        Scope.JOBS_WRITE,
        "/jobs/actions",
        303,
        each=True,
        send={"data": {"action": "cancel", "id": "{job}", "confirmed": "1", "expect": "1"}},
    ),
    "GET /actions/{batch_id}": read("/actions/{action}"),
    "POST /actions/{batch_id}/retry": own("/actions/{aside}/retry"),
    "GET /jobs/download.zip": read("/jobs/download.zip?id={job}"),
    "GET /jobs/compare": read("/jobs/compare?id={job}&id={second}"),
    "GET /jobs/{job_id}": read("/jobs/{job}"),
    "GET /jobs/{job_id}/figures": read("/jobs/{job}/figures"),
    "POST /jobs/{job_id}/cancel": own("/jobs/{job}/cancel"),
    "GET /jobs/{job_id}/files.zip": read("/jobs/{job}/files.zip"),
    "GET /jobs/{job_id}/cluster-files": read("/jobs/{job}/cluster-files", 409),
    "GET /jobs/{job_id}/look/{name:path}": read("/jobs/{job}/look/scf.out"),
    "GET /jobs/{job_id}/files/{name:path}": read("/jobs/{job}/files/scf.out"),
    "GET /templates": read("/templates"),
    "GET /templates/new": write("/templates/new", 200),
    "POST /templates/try": write("/templates/try", 200, data=TEXTS),
    "POST /templates": own("/templates", data={}),
    "GET /templates/basis": read("/templates/basis"),
    "POST /templates/basis": own("/templates/basis", data=BASIS),
    "GET /templates/{template_id}": read("/templates/{template}"),
    "GET /templates/{template_id}/edit": write("/templates/{template}/edit", 200),
    "POST /templates/{template_id}/review": Entry(
        Role.MAINTAINER,
        Scope.JOBS_WRITE,
        "/templates/{template}/review",
        409,
        send={"data": {"revision": "x", "reviewed": "true"}},
    ),
    "POST /templates/{template_id}/remove": own("/templates/{template}/remove"),
    "GET /new": read("/new"),
    "GET /new/{template_id}": write("/new/scf?example=1", 200),
    "POST /new/{template_id}/preview": write("/new/scf/preview", 200, data=FORM),
    "POST /new/{template_id}": write("/new/scf", data=FORM),
    "POST /new/{template_id}/structure": write("/new/scf/structure", 200, data=FORM, files={"structure_file": CIF}),
    "POST /new/{template_id}/attach/{key}": write(
        "/new/bands/attach/wavefunction_file",
        200,
        data=FORM,
        files={"upload_wavefunction_file": ("fort.9", b"x", "text/plain")},
    ),
    "POST /new/{template_id}/preset": write("/new/scf/preset", 200, data=FORM | {"preset": "fast"}),
    "POST /new/{template_id}/resources": write("/new/scf/resources", 200, data=FORM | {"use": "small"}),
    "POST /new/{template_id}/detach": write("/new/scf/detach", 200, data=FORM),
    "POST /new/{template_id}/batch": write("/new/scf/batch", data=FORM),
    "GET /batches": read("/batches"),
    "GET /batches/{batch_id}": read("/batches/{batch}"),
    "POST /batches/{batch_id}/structures": own("/batches/{batch}/structures", files={"structures": CIF}),
    "POST /batches/{batch_id}/table": own("/batches/{batch}/table", data={"table": "a\n4.1\n"}),
    "POST /batches/{batch_id}/count": read(
        "/batches/{batch}/count", data={"axis1": "a", "values1": "4, 5", "how": "grid"}
    ),
    "POST /batches/{batch_id}/sweep": own(
        "/batches/{batch}/sweep", data={"axis1": "a", "values1": "4, 5", "how": "grid"}
    ),
    "POST /batches/{batch_id}/settings": own("/batches/{batch}/settings", data={"name": "other"}),
    "POST /batches/{batch_id}/common": own("/batches/{batch}/common", data=FORM),
    "POST /batches/{batch_id}/submit": own("/batches/{batch}/submit"),
    "POST /batches/{batch_id}/retry": own("/batches/{aside}/retry"),
    "POST /batches/{batch_id}/discard": own("/batches/{batch}/discard"),
    "GET /batches/{batch_id}/rows/{position}": read("/batches/{batch}/rows/1"),
    "POST /batches/{batch_id}/rows/{position}": own("/batches/{batch}/rows/1", data={"own": "a = 4.4"}),
    "POST /batches/{batch_id}/rows/{position}/remove": own("/batches/{batch}/rows/1/remove"),
    "GET /workflows": read("/workflows"),
    "GET /workflows/edit": write("/workflows/edit", 200),
    "POST /workflows/edit": write("/workflows/edit", 200, data=EDITOR),
    "POST /workflows": own("/workflows", data={}),
    "GET /workflows/{name}": read("/workflows/{workflow}"),
    "POST /workflows/{name}/remove": own("/workflows/{workflow}/remove"),
    "GET /workflows/{name}/start": write("/workflows/{workflow}/start", 200),
    "POST /workflows/{name}/preview": write("/workflows/{workflow}/preview", 200, data=FORM),
    "POST /workflows/{name}/structure": write(
        "/workflows/{workflow}/structure", 200, data=FORM, files={"structure_file": CIF}
    ),
    "POST /workflows/{name}/start": write("/workflows/{workflow}/start", data=FORM),
    "POST /workflows/{name}/each": write("/workflows/{workflow}/each", data=FORM, files={"structures": CIF}),
    "GET /runs/{run_id}": read("/runs/{run}"),
    "GET /runs/{run_id}/steps/{step}": read("/runs/{run}/steps/scf"),
    "GET /runs/{run_id}/provenance": read("/runs/{run}/provenance"),
    "GET /jobs/{job_id}/provenance": read("/jobs/{job}/provenance"),
    "GET /runs/{run_id}/export/{kind}": read("/runs/{ended}/export/zip"),
    "POST /runs/{run_id}/steps/{step}/decision": own("/runs/{run}/steps/scf/decision", data={"choice": "give_up"}),
    "POST /runs/{run_id}/rerun": write("/runs/{ended}/rerun"),
    "POST /runs/{run_id}/{action}": own("/runs/{run}/cancel", data={"expect": "0"}),
    "GET /clusters": read("/clusters"),
    "POST /clusters": machine("/clusters", data={"name": "new", "hostname": "new.example.org"}),
    "GET /clusters/{name}": read("/clusters/here"),
    "GET /clusters/{name}/edit": machine("/clusters/spare/edit", 200),
    "POST /clusters/{name}/edit": machine("/clusters/spare/edit", data={"setup": "module load X"}),
    "POST /clusters/{name}/remove": machine("/clusters/spare/remove", data={"confirm": "spare"}),
    "POST /clusters/{name}/test": write("/clusters/here/test"),
    "POST /clusters/{name}/pause": machine("/clusters/here/pause"),
    "POST /clusters/{name}/resume": machine("/clusters/here/resume"),
    "POST /clusters/{name}/trust": machine("/clusters/far/trust", 409, data={"fingerprint": "SHA256:x"}),
    "POST /clusters/{name}/forget-key": machine("/clusters/far/forget-key"),
    "POST /clusters/{name}/key": write("/clusters/far/key", data={"username": "me"}),
    "POST /clusters/{name}/key/remove": write("/clusters/far/key/remove"),
}
ROUTES: dict[str, Entry] = API | PAGES
