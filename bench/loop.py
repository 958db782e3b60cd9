"""What everybody else notices while one member asks for as much as he can: /healthz, another user's page, a running poll.

The real service, one request after the other, each sent again as soon as it is answered, from a process of its own. Times in
milliseconds beside those of the idle service in the same run; aims: /healthz p99 < 50 ms, page and poll not later than 200 ms.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from tests.support.service import Service, mgo

SECONDS = 8.0
CONNECTIONS = 1
POLL = 0.5
Attack = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@dataclass
class Seen:
    """Milliseconds by what was measured."""

    health: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    """Between two polls of the cluster."""
    answers: dict[str, int] = field(default_factory=dict)


def deck(atoms: int, group: int = 225) -> str:
    draw = random.Random(1)
    rows = "\n".join(f"12 {draw.random():.2f} .{draw.randrange(9)} .{draw.randrange(9)}" for _ in range(atoms))
    return f"t\nCRYSTAL\n0 0 0\n{group}\n400.\n{atoms}\n{rows}\nBASISSET\nSTO-3G\nSHRINK\n8 16\nEND\n"


def atoms(count: int) -> list[list[Any]]:
    draw = random.Random(2)
    return [["Si", *(round(draw.random(), 5) for _ in range(3))] for _ in range(count)]


def doubling() -> dict[str, str]:
    """A template whose fields are each twice the one before."""
    fields = "".join(
        f'[[fields]]\nkey = "f{n}"\ntype = "text"\nlabel = "f"\nmax_length = 1000000\n'
        + (f'default_from = "f{n - 1} + f{n - 1}"\n' if n else 'default = "xxxxxxxxxxxxxxxx"\n')
        for n in range(40)
    )
    head = 'id = "double"\ntitle = "d"\ndescription = "d"\nfiles = [{ name = "double.d12", role = "d12" }]\n'
    return {"template.toml": head + fields + "[example]\n", "double.d12.j2": "t\n{{ f39 | length }}\nEND\n"}


def endless() -> dict[str, str]:
    head = 'id = "endless"\ntitle = "d"\ndescription = "d"\nfields = []\nfiles = [{ name = "endless.d12", role = "d12" }]\n'
    loop = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
    return {"template.toml": head + "[example]\n", "endless.d12.j2": f"t\n{loop}\nEND\n"}


def growing() -> dict[str, Any]:
    """A workflow whose values are each several of the ones before."""
    steps: list[dict[str, Any]] = [{"name": "s0", "values": {"v": "'" + "x" * 400 + "'"}}]
    for n in range(1, 12):
        before = f"steps.s{n - 1}.values.v"
        steps.append({"name": f"s{n}", "values": {key: " + ".join([before] * 10) for key in "vabcdefgh"}})
    return {"name": "growing", "steps": steps}


def wide() -> dict[str, Any]:
    """As many steps and parameters as a workflow may have."""
    return {
        "name": "wide",
        "steps": [
            {
                "name": f"s{n}",
                "template": "scf",
                "after": [f"s{m}" for m in range(max(0, n - 5), n)],
                "parameters": mgo(),
            }
            for n in range(100)
        ],
    }


def cif(count: int) -> bytes:
    rows = "".join(f"C{n} C {n / 997 % 1:.6f} {n / 991 % 1:.6f} {n / 983 % 1:.6f}\n" for n in range(count))
    head = "data_x\n" + "".join(f"_cell_length_{axis} 30\n" for axis in "abc")
    head += "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
    return (head + "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
            "_atom_site_fract_z\n" + rows).encode()  # fmt: skip


def attacks(url: str) -> dict[str, Attack]:
    large, allowed = {"text": deck(60_000)}, {"text": deck(19_900)}
    form = {f"p_{key}": str(value) for key, value in mgo(space_group=227, a=80.0).items() if key != "atoms"}
    form["p_atoms"] = "\n".join(" ".join(map(str, row)) for row in atoms(1000))
    crowd = {
        **form,
        "p_space_group": "1",
        "p_a": "60",
        "p_b": "60",
        "p_c": "60",
        "p_alpha": "90",
        "p_beta": "90",
        "p_gamma": "90",
    }
    json15 = b'[{"template": "scf", "parameters": {"atoms": [' + b"[1,2,3]," * 1_900_000 + b"[1]]}}]"
    json2 = json.dumps([{"template": "scf", "parameters": mgo(note="x" * 1500), "cluster": "here"}] * 1000).encode()
    as_json = {"content-type": "application/json"}
    rows = [{"parameters": {"a": 4.0 + n / 1000}} for n in range(1000)]
    structure = cif(1990)
    stranger = httpx.AsyncClient(base_url=url, timeout=60)
    return {
        "deck of 60,000 atoms": lambda to: to.post("/api/v1/decks/check", json=large),
        "deck of 19,900 atoms": lambda to: to.post("/api/v1/decks/check", json=allowed),
        "doubling template": lambda to: to.post("/api/v1/templates", json={"files": doubling()}),
        "endless template": lambda to: to.post("/api/v1/templates", json={"files": endless()}),
        "growing workflow": lambda to: to.post("/api/v1/runs", json={"definition": growing(), "cluster": "here"}),
        "preview of 1,000 atoms, 227": lambda to: to.post("/new/scf/preview", data=form),
        "preview of 1,000 atoms, P1": lambda to: to.post("/new/scf/preview", data=crowd),
        "15 MB of JSON, a stranger": lambda _: stranger.post("/api/v1/jobs", content=json15, headers=as_json),
        "2 MB of JSON": lambda to: to.post("/api/v1/jobs", content=json2, headers=as_json),
        "workflow of 100 steps": lambda to: to.post("/api/v1/workflows/check", json=wide()),
        "CIF of 1,990 atoms": lambda to: to.post("/api/v1/structures", files={"file": ("x.cif", structure)}),
        "batch of 1,000 rows": lambda to: to.post(
            "/api/v1/batches",
            json={"template": "scf", "cluster": "here", "parameters": mgo(), "rows": rows, "submit": False},
        ),
    }  # fmt: skip


async def repeated(until: float, pause: float, into: list[float], ask: Callable[[], Awaitable[Any]]) -> None:
    while time.monotonic() < until:
        begun = time.perf_counter()
        await ask()
        into.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(pause)


async def polls(until: float, into: list[float], client: httpx.AsyncClient) -> None:
    """Time between polls, by what the list of clusters says."""
    before: datetime | None = None
    while time.monotonic() < until:
        [cluster] = (await client.get("/api/v1/clusters")).json()
        if cluster["checked_at"]:
            now = datetime.fromisoformat(cluster["checked_at"])
            if before is not None and now != before:
                into.append((now - before).total_seconds() * 1000)
            before = now
        await asyncio.sleep(0.1)


async def attack(name: str, url: str, token: str) -> None:
    """In the process of the member: the same request again and again; at the end the answers are printed."""
    seen: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {token}"}
    until = time.monotonic() + SECONDS

    async def repeat(member: httpx.AsyncClient, work: Attack) -> None:
        while time.monotonic() < until:
            answer = await work(member)
            try:
                told = answer.json().get("code", "")
            except (ValueError, AttributeError):
                told = ""
            seen[f"{answer.status_code} {told}".strip()] += 1

    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120) as member:
        work = attacks(url)[name]
        print("ready", flush=True)
        tasks = [asyncio.create_task(repeat(member, work)) for _ in range(CONNECTIONS)]
        await asyncio.wait(tasks, timeout=SECONDS + 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(seen), flush=True)


async def watched(service: Service, token: str, name: str, mallory: str) -> Seen:
    seen = Seen()
    process = None
    if name:
        process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, name, service.url, mallory, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
    async with httpx.AsyncClient(
        base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as other:
        until = time.monotonic() + SECONDS
        await asyncio.gather(
            repeated(until, 0.01, seen.health, lambda: other.get("/healthz")),
            repeated(until, 0.1, seen.page, lambda: other.get("/jobs")), polls(until, seen.polls, other),
        )  # fmt: skip
    if process is not None:
        told, _ = await process.communicate()
        seen.answers = json.loads(told or b"{}")
    return seen


def row(name: str, seen: Seen, idle: Seen) -> str:
    health, page = sorted(seen.health), max(seen.page)
    p99 = health[int(len(health) * 0.99)]
    quiet = sorted(idle.health)[int(len(idle.health) * 0.99)]
    late_page, late_poll = page - max(idle.page), max(seen.polls, default=0) - max(idle.polls, default=0)
    fine = p99 < 50 and late_page < 200 and late_poll < 200
    answers = ", ".join(f"{count} × {key}" for key, count in sorted(seen.answers.items()))
    figures = f"{statistics.median(health):6.1f} {p99:7.1f} {health[-1]:7.1f} {p99 / quiet:6.1f} "
    figures += f"{statistics.median(seen.page):7.1f} {page:7.1f} {late_page:+8.1f} {late_poll:+8.1f}"
    return f"{name:<30} {figures}  {'fine' if fine else 'LATE'}  {answers}"


async def measure(service: Service, mallory: str, bob: str) -> bool:
    await watched(service, bob, "", mallory)
    idle = await watched(service, bob, "", mallory)
    print(f"{'':<30} {'healthz':>22} {'':>6} {'page':>15} {'later':>8} {'poll':>8}")
    print(f"{'':<30} {'p50':>6} {'p99':>7} {'max':>7} {'ratio':>6} {'p50':>7} {'max':>7} {'':>8} {'later':>8}")
    print(row("idle", idle, idle), flush=True)
    lines = []
    for name in attacks(service.url):
        lines.append(row(name, await watched(service, bob, name, mallory), idle))
        print(lines[-1], flush=True)
        await asyncio.sleep(1)
    return not any("LATE" in line for line in lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "crystal"
        program.write_text("#!/bin/sh\nsleep 3600\n")
        program.chmod(0o755)
        config = f"poll_interval = {POLL}\npoll_interval_busy = {POLL}\n" + (
            f'[clusters.here]\nrunner_type = "local"\ncrystal = "{program}"\nworkdir = "{folder / "work"}"\nmax_jobs = 1\n'
        )
        service = Service(folder / "service", config)
        bob = service.add_user("bob", "admin")
        service.start()
        try:
            service.submit({"template": "scf", "parameters": mgo(), "cluster": "here", "name": "running"})
            mallory = service.add_user("mallory", "member")
            fine = asyncio.run(measure(service, mallory, bob))
        finally:
            service.stop()
        print("every aim is reached" if fine else "some aims are missed")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(attack(*sys.argv[1:]))
    else:
        main()
