"""Outputs that end early: a wrong deck, a missing wave function, a stop in mid-SCF."""

from __future__ import annotations

from tests.support.corpus import frame
from tests.support.corpus.cases.energies import METAL, MGO_DECK, RHF
from tests.support.corpus.crystals import GRAPHENE, IRON, MGO
from tests.support.corpus.outputs import opened, single_point
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Scf, cycles, falling
from tests.support.corpus.states import Conductor


def wrong_tolerances() -> str:
    paper = opened(MGO, RHF, deck=MGO_DECK.replace("SHRINK", "TOLINTEG\n7 7 7 7\nSHRINK"))
    paper.stage("SDIK", 0.5)
    frame.aborted(paper, "INP12B **** INCONSISTENT ITOL SIZE")
    paper.line("SCF abnormal end - no wf written in fort.9")
    return paper.text


def no_wave_function() -> str:
    """Properties alone: the error is the first thing that it prints."""
    paper = Paper()
    frame.banner(paper, "CRYSTAL09")
    paper.line(f" EEEEEEEEEE STARTING  {paper.time()}")
    paper.line(" ERROR **** init_properties_io **** Wavefunction file can not be found")
    paper.stage("ERR", 0.0)
    return paper.text


def two_programs() -> str:
    """A calculation that ended, and properties behind it in the same file, which found nothing."""
    scf = Scf(-1263.1234567891, falling(-0.7, 0.2, 9), Conductor(-0.02), (26.0,))
    return single_point(IRON, scf, METAL, "CRYSTAL09") + no_wave_function()


def stopped() -> str:
    """Nothing tells why: the last line is a whole one."""
    paper = opened(GRAPHENE, METAL)
    cycles(paper, GRAPHENE, Scf(-76.0123456789, falling(-0.3, 0.2, 12), Conductor(-0.1), (6.0, 6.0)), until=8)
    return paper.text


FILES = {
    "mgo-tolinteg/main.out": wrong_tolerances,
    "no-wave-function/main.outp": no_wave_function,
    "iron-no-fort9/main.out": two_programs,
    "graphene-cut/main.out": stopped,
}
