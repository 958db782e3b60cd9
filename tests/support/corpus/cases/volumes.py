"""Volumes and pressure: an optimisation under EXTPRESS, the quasi-harmonic approximation, a stressed slab's elastic constants."""

from __future__ import annotations

from dataclasses import replace

from tests.support.corpus import frame, optimization, responses, vibrations
from tests.support.corpus.cases.energies import MGO_DECK, MGO_SCF, PBE, RHF
from tests.support.corpus.crystals import GRAPHENE, MGO
from tests.support.corpus.optimization import Point
from tests.support.corpus.outputs import opened
from tests.support.corpus.scf import Scf, cycles, falling, scf_end
from tests.support.corpus.states import Insulator
from tests.support.corpus.vibrations import Functions, Mode

PRESSURE = 0.0017
"""hartree/bohr³"""
_BOHR = 0.5291772083


def pressed() -> str:
    """EXTPRESS: the second and third point print enthalpies; the first one prints its stress and forces."""
    scales, changes = (1.0, 0.995, 0.9925), (0.0, -0.0031, -0.0042)
    points, works = [], []
    for scale, change in zip(scales, changes, strict=True):
        works.append(PRESSURE * round(MGO.scaled(scale).volume, 6) / _BOHR**3)
        points.append(Point(MGO.scaled(scale), MGO_SCF.energy + change + works[-1], (0.001, 0.001)))
    deck = MGO_DECK.replace("BASISSET", f"OPTGEOM\nEXTPRESS\n{PRESSURE}\nEND\nBASISSET")
    paper = opened(MGO, RHF, "CRYSTAL23", deck)
    optimization.heading(paper, "COORDINATE AND CELL", 1)
    cycles(paper, MGO, MGO_SCF)
    scf_end(paper, MGO_SCF, RHF)
    cell = [[0.0, 0.0021, 0.0021], [0.0021, 0.0, 0.0021], [0.0021, 0.0021, 0.0]]
    tensor = [[-0.00125 if i == j else 0.0 for j in range(3)] for i in range(3)]
    responses.stress(paper, [[0.0, 0.0, 0.0015], [0.0, 0.0, -0.0015]], cell, tensor, 36.78, MGO_SCF.energy + 0.16)
    optimization.criteria(paper, points[0])
    for place, point in enumerate(points[1:], start=1):
        optimization.heading(paper, "COORDINATE AND CELL", place + 1)
        optimization.cells(paper, point.structure)
        responses.load_work(paper, works[place])
        paper.line(f" TOTAL ENERGY(HF)(AU)(   6) {point.energy:.13E}     DE (AU)  {-0.001:11.3E}", "")
        optimization.criteria(paper, point)
    optimization.opt_end(paper, points)
    frame.ended(paper)
    return paper.text


def quasi_harmonic() -> str:
    """Three volumes, each with its modes and functions, then the tables over temperature at two pressures."""
    paper = opened(MGO, RHF, "CRYSTAL17", MGO_DECK.replace("BASISSET", "QHA\nEND\nBASISSET"))
    cycles(paper, MGO, MGO_SCF)
    scf_end(paper, MGO_SCF, RHF)
    paper.headed(" *                     QUASI-HARMONIC APPROXIMATION                              *")
    for place, (scale, change) in enumerate(((0.99, 0.0015), (1.005, -0.0005), (1.01, 0.0025))):
        structure, scf = MGO.scaled(scale), replace(MGO_SCF, energy=MGO_SCF.energy + change)
        points = [Point(structure, scf.energy, (1e-5, 1e-5))]
        optimization.heading(paper, "COORDINATE", 1)
        optimization.cells(paper, structure)
        cycles(paper, structure, scf)
        scf_end(paper, scf, RHF)
        optimization.criteria(paper, points[0])
        optimization.opt_end(paper, points)
        vibrations.begun(paper, 2)
        vibrations.modes(paper, [Mode(3, 0.0, "F1u"), Mode(3, 420.0 - 10 * place, "F1u", "A", "I", 900.0)])
        states = [Functions(kelvin, 0.101325, 0.001, 1e-6, 0.01, 0.02) for kelvin in (100.0, 300.0)]
        vibrations.thermodynamics(paper, scf.energy, 0.0055 - 0.0001 * place, states)
    columns = ("T(K)", "V(A^3)", "BM(GPa)", "ALPHA(10^-6/K)")
    responses.thermal(
        paper, "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY", columns,
        [(100.0, 19.3125, 158.5, 10.25), (300.0, 19.375, None, 30.5)], order=3,
    )  # fmt: skip
    responses.thermal(
        paper, "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY AT P =   5.00 GPa", columns,
        [(100.0, 18.75, 178.5, 9.25), (300.0, 18.8125, 170.25, 27.5)],
    )  # fmt: skip
    frame.ended(paper)
    return paper.text


def sheet_elastic() -> str:
    """A slab: three by three, in hartree per cell."""
    scf = Scf(-76.0123456789, falling(-0.3, 0.1, 9), Insulator(6, -0.15, -0.02), (6.0, 6.0))
    paper = opened(GRAPHENE, PBE, "CRYSTAL22")
    cycles(paper, GRAPHENE, scf)
    scf_end(paper, scf, PBE)
    responses.elastic(paper, [[4.375, 0.75, 0.0], [0.75, 4.375, 0.0], [0.0, 0.0, 1.875]], unit="HARTREE")
    frame.ended(paper)
    return paper.text


FILES = {
    "mgo-pressure/main.out": pressed, "mgo-quasi-harmonic/main.out": quasi_harmonic, "graphene-elastic/main.out": sheet_elastic,
}  # fmt: skip
