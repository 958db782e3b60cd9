"""Single points: closed shells of three releases, spins, metals, a molecule with corrections, and one that only tests."""

from __future__ import annotations

from tests.support.corpus import frame
from tests.support.corpus.crystals import GRAPHENE, IRON, MGO, NACL, NIO, SLAB, TUBE, UREA
from tests.support.corpus.geometry import external, geometry
from tests.support.corpus.outputs import opened, single_point
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Method, Scf, cycles, dispersion, falling, scf_end
from tests.support.corpus.states import Conductor, Insulator, Locked, Polarised, Turning

MGO_DECK = (
    "Magnesia, invented\nCRYSTAL\n0 0 0\n225\n4.24\n2\n12 0. 0. 0.\n8 0.5 0.5 0.5\nBASISSET\nSTO-3G\nSHRINK\n6 6\nEND\n"
)
RHF = Method()
MGO_SCF = Scf(
    -271.1234567891, (-0.512, -0.0421, -0.00331, -1.21e-3, -2.5e-6, -4.4e-7, -6.1e-9),
    Insulator(10, -0.1512, 0.3047, top_k=12), (11.2345678, 8.7654322),
)  # fmt: skip
B3LYP = Method(hamiltonian="DFT", exchange="HARTREE+FOCK EXCH*0.20000+(BECKE      EXCH)*0.80000+LYP        CORR")
MGO_B3LYP = Scf(
    -275.3456789012, (-0.61, -0.093, -0.0104, -8.8e-4, -3.1e-5, -2.2e-6, -9.4e-8, -3.3e-9),
    Insulator(10, -0.1520, 0.1014), (10.1234567, 9.8765433),
)  # fmt: skip
PBE = Method(
    hamiltonian="DFT", exchange="HARTREE+FOCK EXCH*0.00000+(PBE        EXCH)*1.00000+PBE        CORR", tolerance=8
)
UKS = Method(kind="UNRESTRICTED OPEN SHELL", hamiltonian="DFT", exchange=B3LYP.exchange)
UHF = Method(kind="UNRESTRICTED OPEN SHELL")
NIO_SCF = Scf(
    -3128.1234567891, (2.11, 0.134, -3.2, -0.21, -0.031, -0.0042, -6.1e-4, -8.8e-5, -1.3e-5, -1.9e-6, -2.7e-7, -3.9e-8),
    Locked(), (27.6012345, 27.6023456, 8.3987654, 8.3976545), (1.7123456, -1.7123001, -0.0312345, 0.0311890),
)  # fmt: skip
OLD_MGO = Scf(
    -274.5678901234,
    (0.41, -6.4e-3, -2.2e-4, -8.1e-6, -3.7e-7),
    Insulator(10, -0.2914, 0.4251, gap_line=False),
    (10.03, 9.97),
)
METAL = Method(hamiltonian="DFT", exchange=PBE.exchange, shrink=(9, 9, 9), tolerance=6)
SHEET = Method(hamiltonian="DFT", exchange=PBE.exchange, shrink=(9, 9, 1), tolerance=6)
GRAPHENE_SCF = Scf(-76.0123456789, (-0.31, 0.02, -1.1e-3, -4.2e-5, -1.8e-6, -2.6e-7), Conductor(-0.0991), (6.0, 6.0))
SPIN_SCF = Scf(
    -275.4012345678, (-0.182, -0.0153, -1.4e-3, -2.2e-5, -3.1e-7, -4.8e-9),
    Polarised(Insulator(10, -0.1521, 0.1013), Insulator(10, -0.1521, 0.0987)), (10.13, 9.87), (0.0, 0.0),
)  # fmt: skip


def molecule() -> str:
    """Dispersion and counterpoise correction stand behind the energy; of both only the sum is what was asked for."""
    chosen = Method(
        hamiltonian="DFT", exchange="HARTREE+FOCK EXCH*0.25000+(PBE        EXCH)*0.75000+PBE        CORR", shrink=None
    )
    scf = Scf(-225.1234567890, falling(-0.4, 0.13, 9), Insulator(16, -0.2512, 0.0123))
    paper = opened(UREA, chosen, "CRYSTAL22")
    cycles(paper, UREA, scf)
    scf_end(paper, scf, chosen)
    dispersion(paper, scf.energy, -0.0098765432101, 0.0345678901234)
    frame.ended(paper)
    return paper.text


def geometry_only() -> str:
    paper = Paper()
    frame.banner(paper)
    frame.started(paper, SLAB.title)
    geometry(paper, SLAB)
    paper.line(" WARNING **** CRYSTA **** TESTGEOM  DIRECTIVE - GEOMETRY EDITING COMPLETE")
    frame.ended(paper)
    return paper.text


def cut_metal() -> str:
    """Stops before the eleventh cycle: first it seemed an insulator, then a metal."""
    state = Turning(Insulator(13, -0.21, -0.15), Conductor(-0.1509), 3)
    scf = Scf(-678.3456789012, falling(-3.1, 0.31, 14, 0.2), state)
    paper = opened(IRON, METAL, deck="Iron, invented\nEXTERNAL\nEND\nGUESSP\nEND\n")
    cycles(paper, IRON, scf, until=11)
    return paper.text


def tube() -> str:
    """A locked level shifter moves the occupied bands: their distance is no gap, their top no Fermi energy."""
    scf = Scf(-454.6789012345, falling(-0.8, 0.2, 10), Insulator(36, -0.1402, -0.0911, gap_line=False, shifter=1.0))
    return single_point(TUBE, scf, Method(hamiltonian="DFT", exchange=PBE.exchange, shrink=(4, 1, 1)), "CRYSTAL14")


def slab() -> str:
    """A slab of the newest release whose cycles fall evenly: what is to come can be told from what was."""
    scf = Scf(-3790.1234567891, falling(-0.9, 0.36, 17), Conductor(0.0153), (26.05, 25.9, 26.05))
    return single_point(
        SLAB, scf, Method(hamiltonian="DFT", exchange="HSE06", shrink=(8, 8, 1), tolerance=8), "CRYSTAL23"
    )


def one_cycle() -> str:
    scf = Scf(-691.2345678901, (-0.776,), Conductor(-0.19), (26.0,), ended="TOO MANY CYCLES")
    return single_point(IRON, scf, Method(hamiltonian="DFT", exchange=PBE.exchange, cycles=1))


def too_many_cycles() -> str:
    """The program ends normally, and nothing is converged."""
    scf = Scf(
        -3128.0987654321, (2.11, 0.134, -3.2, -0.21, -0.031, -0.0042, -6.1e-4, -8.8e-5, -1.3e-5, -1.9e-6), Locked(),
        NIO_SCF.charges, NIO_SCF.spins, ended="TOO MANY CYCLES",
    )  # fmt: skip
    analysis = (27.6, 27.6, 8.4, 8.4), (1.712, -1.712, -0.031, 0.031)
    return single_point(NIO, scf, Method(kind=UHF.kind, cycles=10), analysis=analysis)


FILES = {
    "mgo-scf/main.out": lambda: single_point(MGO, MGO_SCF, RHF, deck=MGO_DECK),
    "mgo-scf/fort.34": lambda: external(MGO),
    "mgo-b3lyp/main.out": lambda: single_point(MGO, MGO_B3LYP, B3LYP),
    "mgo-crystal14/main.out": lambda: single_point(MGO, OLD_MGO, Method(tolerance=6), "CRYSTAL14"),
    "mgo-spin/main.out": lambda: single_point(MGO, SPIN_SCF, UKS),
    "nacl-crystal14/main.out": lambda: single_point(
        NACL, Scf(-621.2345678901, falling(-0.3, 0.1, 8), Insulator(14, -0.39686, 0.11314, gap_line=False)), RHF, "CRYSTAL14"
    ),
    "nio-scf/main.out": lambda: single_point(
        NIO, NIO_SCF, UHF, analysis=((27.601, 27.602, 8.399, 8.398), (1.712, -1.711, -0.031, 0.030))
    ),
    "nio-scf/fort.34": lambda: external(NIO),
    "nio-maxcycle/main.out": too_many_cycles,
    "graphene/main.out": lambda: single_point(
        GRAPHENE, GRAPHENE_SCF, SHEET, total=-76.0123460001
    ),
    "molecule/main.out": molecule,
    "slab-testgeom/main.out": geometry_only,
    "slab-scf/main.out": slab,
    "slab-scf/main.gui": lambda: external(SLAB),
    "iron-cut/main.out": cut_metal,
    "iron-one-cycle/main.out": one_cycle,
    "tube/main.out": tube,
}  # fmt: skip
