"""What the outputs of the corpus tell, by file: the numbers that the writer was given, written down a second time by hand.

Names are those of the results; `scf`, `points` … those of the series. What stands in `ALWAYS` and is not told of must be empty.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from app.crystal.outputs.reader import OutputReader

CONVERGED, TOO_MANY = "CONVERGENCE ON ENERGY", "TOO MANY CYCLES"
COMPLETED = {"verdict": "completed", "normal_end": True}
FCC = [2.99813275, 2.99813275, 2.99813275, 60.0, 60.0, 60.0]
MGO = {
    "title": "Magnesia, invented", "dimensionality": 3, "k_mesh": [6, 6, 6], "geometry.primitive_cell": FCC,
    "geometry.conventional_cell": [4.24, 4.24, 4.24, 90.0, 90.0, 90.0], "geometry.volume": 19.056256, "geometry.count": 2,
}  # fmt: skip
NIO = {"dimensionality": 3, "geometry.primitive_cell": [2.96, 2.96, 4.18, 90.0, 90.0, 90.0], "geometry.count": 4}
IRON = {"dimensionality": 3, "geometry.conventional_cell": [2.88, 2.88, 2.88, 90.0, 90.0, 90.0], "geometry.count": 1}
SHEET = {"dimensionality": 2, "geometry.primitive_cell": [2.48, 2.48, 500.0, 90.0, 90.0, 120.0], "geometry.count": 2}
SLAB = {"dimensionality": 2, "geometry.primitive_cell": [2.9, 2.9, 500.0, 90.0, 90.0, 90.0], "geometry.count": 3}
RHF = {
    "hamiltonian": "HF", "energy_kind": "HF", "energy_scf": -271.1234567891, "energy_total": -271.1234567891, "scf_cycles": 7,
    "scf_converged": True, "gap_ev": 12.4027, "gap_kind": "indirect", "scf": [(None, 8, CONVERGED)], "tolerance": 1e-7,
}  # fmt: skip
THERMAL = ["T(K)", "V(A^3)", "BM(GPa)", "ALPHA(10^-6/K)"]
BIRCH_MURNAGHAN = {
    "form": "BIRCH-MURNAGHAN 1947", "volume": 19.0601, "energy": -271.12346222, "bulk_modulus": 162.5, "derivative": 4.02,
}  # fmt: skip
ALWAYS = (
    "enthalpy", "external", "stress", "volumes", "thermal_tables",
    "optimization", "frequencies_cm1", "elasticity", "energy_volume", "dielectric", "gap_spin_ev", "errors", "energy_dispersion",
)  # fmt: skip
"""What must be empty where nothing is told of it."""

TOLD: dict[str, dict[str, Any]] = {
    "mgo-scf/main.out": COMPLETED | MGO | RHF | {"program": "CRYSTAL17", "release": "0.0.1 - March 5th, 2026", "max_cycles": 50},
    "mgo-b3lyp/main.out": COMPLETED | MGO | {
        "hamiltonian": "DFT", "energy_kind": "DFT", "energy_total": -275.3456789012, "scf_cycles": 8, "gap_ev": 6.8943,
        "gap_kind": "direct",
    },
    "mgo-crystal14/main.out": COMPLETED | MGO | {
        "program": "CRYSTAL14", "energy_total": -274.5678901234, "scf_cycles": 5, "gap_ev": 19.4725, "gap_kind": "direct",
        "tolerance": 1e-6,
    },
    "mgo-spin/main.out": COMPLETED | MGO | {
        "energy_total": -275.4012345678, "gap_ev": 6.816, "gap_kind": "direct", "gap_spin_ev": {"alpha": 6.8868, "beta": 6.816},
        "gap_spin_kind": {"alpha": "direct", "beta": "direct"},
    },
    "mgo-bands/main.outp": COMPLETED | {
        "title": "Magnesia, invented", "gap_ev": 6.8954, "gap_kind": "direct", "k_mesh": [6, 6, 6], "scf": [],
    },
    "mgo-analyses/main.outp": COMPLETED | {
        "title": "Magnesia, invented", "energy_total": -274.0, "energy_kind": "wave function", "scf": [],
        "diffraction": {"points": 241, "lowest_angle": 20.0, "highest_angle": 80.0, "strongest_angle": 43.0},
    },
    "mgo-dos/main.outp": COMPLETED | {"title": "Magnesia, invented", "gap_ev": 6.8954, "scf": []},
    "mgo-opt/main.out": COMPLETED | MGO | {
        "energy_scf": -271.12345678912, "energy_total": -271.1570345679, "scf_cycles": 8, "gap_ev": 16.4321, "gap_kind": None,
        "optimization": {
            "enthalpy": None, "converged": True, "points": 6, "energy": -271.1570345679, "max_gradient": 2.1e-5,
            "rms_gradient": 2.1e-5,
            "max_displacement": 4e-6, "rms_displacement": 4e-6,
        },
        "geometry.primitive_cell": [2.80241465, 2.80241465, 2.80241465, 60.0, 60.0, 60.0], "geometry.volume": 15.562601,
        "geometry.conventional_cell": [3.9632128, 3.9632128, 3.9632128, 90.0, 90.0, 90.0], "geometry.optimized": True,
        "scf": [(1, 9, CONVERGED)], "points": 6, "frames": 6,
    },
    "mgo-opt-onelog/main.out": COMPLETED | {
        "energy_scf": -275.31234567891, "energy_total": -275.3135789123, "gap_ev": 6.8765,
        "scf": [(n, 10 - n, CONVERGED) for n in (1, 2, 3, 4)],
        "optimization": {
            "enthalpy": None, "converged": True, "points": 4, "energy": -275.3135789123, "max_gradient": 2e-5, "rms_gradient": 2e-5,
            "max_displacement": 3e-5, "rms_displacement": 3e-5,
        },
    },
    "mgo-elastic/main.out": COMPLETED | MGO | RHF | {
        "elasticity": {
            "constants": [[301.25 if i == j else 96.5 for j in range(3)] + [0.0] * 3 for i in range(3)]
            + [[155.75 if i == j else 0.0 for j in range(6)] for i in range(3, 6)],
            "unit": "GPa", "per_size": None, "per_size_unit": None, "compliance_unit": "TPa^-1",
            "compliance": [[3.9398 if i == j else -0.9557 for j in range(3)] + [0.0] * 3 for i in range(3)]
            + [[6.4205 if i == j else 0.0 for j in range(6)] for i in range(3, 6)],
            "bulk_modulus": 164.75, "shear_modulus": 132.35, "youngs_modulus": 313.15, "poisson_ratio": None,
            "bulk_voigt": 164.75, "shear_voigt": 134.4, "bulk_reuss": 164.75, "shear_reuss": 130.3,
            "velocities": [
                {"direction": [0.0, 0.0, 1.0], "longitudinal": 9.125, "transverse": [6.5, 6.5]},
                {"direction": [-1.0, 1.0, 0.0], "longitudinal": 9.875, "transverse": [6.5, 5.375]},
            ],
        },
    },
    "mgo-volumes/main.out": COMPLETED | MGO | RHF | {
        "energy_volume": {
            "volumes": [18.30626, 18.55626, 18.80626, 19.05626, 19.30626, 19.55626, 19.80626],
            "energies": [
                -271.121206789, -271.122456789, -271.123206789, -271.123456789, -271.123206789, -271.122456789, -271.121206789,
            ],
            "fit": BIRCH_MURNAGHAN,
            "fits": [
                {"form": "MURNAGHAN 1944", "volume": 19.0612, "energy": -271.12346111, "bulk_modulus": 161.25, "derivative": 3.91},
                BIRCH_MURNAGHAN,
                {
                    "form": "THIRD ORDER POLYNOMIAL", "volume": 19.0599, "energy": -271.12346333, "bulk_modulus": 163.75,
                    "derivative": None,
                },
            ],
        },
    },
    "mgo-pressure/main.out": COMPLETED | {
        "energy_total": pytest.approx(-271.1276567891, abs=2e-8), "enthalpy": pytest.approx(-270.9139222766, abs=1e-10),
        "optimization.energy": pytest.approx(-271.1276567891, abs=2e-8),
        "optimization.enthalpy": pytest.approx(-270.9139222766, abs=1e-10),
        "external": {
            "kind": "pressure", "pressure_gpa": pytest.approx(50.01572668), "energy_uncertainty": None,
            "work": pytest.approx(0.2137345125, abs=2e-8),
        },
        "stress": {
            "tensor": [[-0.00125 if i == j else 0.0 for j in range(3)] for i in range(3)], "pressure_gpa": 36.78,
            "enthalpy": pytest.approx(-270.9634567891),
            "cell_gradient": [[0.0 if i == j else 0.0021 for j in range(3)] for i in range(3)], "point": 1,
            "of_last_geometry": False,
        },
        "forces": {"atoms": [[0.0, 0.0, 0.0015], [0.0, 0.0, -0.0015]], "point": 1, "of_last_geometry": False},
        "geometry.volume": 18.630698,
    },
    "mgo-quasi-harmonic/main.out": COMPLETED | {
        "energy_total": pytest.approx(-271.1239567891), "geometry.volume": pytest.approx(19.343531, abs=2e-6),
        "frequencies_cm1": [[1, 3, 0.0], [4, 6, 410.0]], "zero_point_energy": 0.0054,
        "optimization.energy": pytest.approx(-271.1239567891), "optimization.converged": True,
        "volumes": [
            {"volume": 19.056256, "energy": -271.1234567891, "frequencies_cm1": None},
            {"volume": 18.490266, "energy": pytest.approx(-271.1219567891), "frequencies_cm1": [[1, 3, 0.0], [4, 6, 420.0]]},
            {"volume": 19.343531, "energy": pytest.approx(-271.1239567891), "frequencies_cm1": [[1, 3, 0.0], [4, 6, 410.0]]},
            {"volume": 19.63368, "energy": pytest.approx(-271.1209567891), "frequencies_cm1": [[1, 3, 0.0], [4, 6, 400.0]]},
        ],
        "thermal_tables": [
            {
                "title": "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY", "order": 3, "pressure_gpa": None, "columns": THERMAL,
                "rows": [[100.0, 19.3125, 158.5, 10.25], [300.0, 19.375, None, 30.5]],
            },
            {
                "title": "THERMAL PROPERTIES FROM HELMHOLTZ FREE ENERGY", "order": None, "pressure_gpa": 5.0, "columns": THERMAL,
                "rows": [[100.0, 18.75, 178.5, 9.25], [300.0, 18.8125, 170.25, 27.5]],
            },
        ],
    },
    "graphene-elastic/main.out": COMPLETED | SHEET | {
        "energy_total": -76.0123456789,
        "elasticity.constants": [[4.375, 0.75, 0.0], [0.75, 4.375, 0.0], [0.0, 0.0, 1.875]], "elasticity.unit": "hartree",
        "elasticity.per_size_unit": "N/m",
    },
    "mgo-tolinteg/main.out": MGO | {
        "verdict": "failed", "diagnosis_code": "tolinteg", "aborted": True, "normal_end": False, "scf": [],
        "errors": ["ERROR **** INP12B **** INCONSISTENT ITOL SIZE"],
    },
    "nacl-crystal14/main.out": COMPLETED | {
        "program": "CRYSTAL14", "title": "Rock salt, invented", "energy_total": -621.2345678901, "gap_ev": 13.8768,
        "geometry.conventional_cell": [5.66, 5.66, 5.66, 90.0, 90.0, 90.0],
    },
    "nio-scf/main.out": COMPLETED | NIO | {
        "energy_total": -3128.1234567891, "scf_cycles": 12, "gap_ev": None, "fermi_energy": None,
        "populations": {
            "electrons": [27.601, 27.602, 8.399, 8.398], "charges": [0.399, 0.398, -0.399, -0.398],
            "spins": [1.712, -1.711, -0.031, 0.03], "nuclear_charges": [28.0, 28.0, 8.0, 8.0],
        },
    },
    "nio-maxcycle/main.out": NIO | {
        "verdict": "failed", "diagnosis_code": "scf-not-converged", "normal_end": True, "scf_converged": False, "scf_cycles": 10,
        "max_cycles": 10, "energy_total": -3128.0987654321, "scf": [(None, 11, TOO_MANY)],
        "errors": ["== SCF ENDED - TOO MANY CYCLES E(AU) -3.1280987654321E+03 CYCLES 10"],
    },
    "nio-opt-cut/main.out": {
        "verdict": "incomplete", "normal_end": False, "energy_scf": -3128.1234567891, "energy_total": -3128.152916268,
        "points": 20,
        "frames": 19, "optimization.converged": None, "optimization.points": 20, "geometry.optimized": False,
    },
    "nio-opt-limit/main.out": {
        "verdict": "failed", "diagnosis_code": "opt-not-converged", "aborted": True, "points": 60, "fermi_energy": None,
        "optimization": {
            "converged": False, "enthalpy": None, "points": 60, "energy": -3323.087593163, "max_gradient": 0.000458,
            "rms_gradient": 0.00037,
            "max_displacement": 0.000174, "rms_displacement": 0.000144,
        },
        "errors": [
            "* OPT END - FAILED * E(AU): -3.323087593163E+03 POINTS 60 *", "ERROR **** f90main **** GEOMETRY OPTIMIZATION FAILED",
        ],
    },
    "iron-opt-failed/main.out": {
        "verdict": "failed", "diagnosis_code": "opt-scf-failed", "aborted": True, "optimization.converged": None,
        "optimization.points": 7,
        "energy_total": -1263.6662, "geometry.conventional_cell": [2.7072, 2.7072, 2.7072, 90.0, 90.0, 90.0],
        "errors": ["ERROR **** OPTGEOM **** SCF FAILED - OPTGEOM STOP"],
    },
    "iron-cut/main.out": IRON | {
        "verdict": "incomplete", "scf": [(None, 11, "")], "gap_ev": None, "fermi_energy": -0.1508979, "energy_scf": None,
    },
    "iron-one-cycle/main.out": IRON | {
        "verdict": "failed", "diagnosis_code": "scf-not-converged", "scf_cycles": 1, "max_cycles": 1,
        "scf": [(None, 2, TOO_MANY)],
        "errors": ["== SCF ENDED - TOO MANY CYCLES E(AU) -6.9123456789010E+02 CYCLES 1"],
    },
    "iron-no-fort9/main.out": IRON | {
        "verdict": "failed", "diagnosis_code": "wavefunction-missing", "title": "Iron, invented",
        "energy_total": -1263.1234567891,
        "errors": ["ERROR **** init_properties_io **** Wavefunction file can not be found"],
    },
    "no-wave-function/main.outp": {
        "verdict": "failed", "diagnosis_code": "wavefunction-missing", "program": "CRYSTAL09", "title": None, "aborted": True,
        "errors": ["ERROR **** init_properties_io **** Wavefunction file can not be found"],
    },
    "graphene/main.out": COMPLETED | SHEET | {
        "energy_scf": -76.0123456789, "energy_total": -76.0123460001, "gap_ev": None, "fermi_energy": -0.0988952,
        "k_mesh": [9, 9, 1],
        "geometry.volume": None,
    },
    "graphene/main.outp": COMPLETED | {"title": "Graphene, invented", "gap_ev": None, "fermi_energy": -0.099099664},
    "graphene-cut/main.out": SHEET | {"verdict": "incomplete", "scf": [(None, 8, "")], "energy_scf": None, "normal_end": False},
    "graphene-phonons/main.out": COMPLETED | SHEET | {
        "phonons": 123, "frequencies_cm1": [[1, 1, 0.0], [2, 2, 0.0], [3, 3, 0.0], [4, 4, 840.0], [5, 5, 1640.0], [6, 6, 1640.0]],
        "imaginary_modes": 0,
    },
    "quartz-freq/main.out": COMPLETED | {
        "program": "CRYSTAL06", "title": "Quartz, invented", "energy_total": -1316.7012345678, "scf": [(None, 101, CONVERGED)],
        "tolerance": 1e-9, "max_cycles": 200, "k_mesh": [3, 3, 3], "gap_ev": None, "zero_point_energy": 0.035123456789,
        "vibrations": 27,
        "geometry.primitive_cell": [4.93, 4.93, 5.43, 90.0, 90.0, 120.0], "imaginary_modes": 0,
        "frequencies_cm1": [
            [1, 1, -1.93], [2, 3, -0.35], [4, 5, 147.2512], [6, 6, 221.4321], [7, 8, 290.1234], [9, 9, 385.5432],
            [10, 10, 399.8765],
            [11, 12, 431.2109], [13, 14, 495.6789], [15, 15, 506.1357], [16, 16, 548.2468], [17, 18, 744.1111],
            [19, 19, 826.2222],
            [20, 21, 850.3333], [22, 23, 1128.4444], [24, 24, 1135.5555], [25, 25, 1143.6666], [26, 27, 1237.7777],
        ],
    },
    "dry-ice-ir/main.out": COMPLETED | {
        "program": "CRYSTAL22", "energy_scf": -754.1234567891, "energy_total": -754.17469135699, "energy_kind": "DFT+DISP",
        "energy_dispersion": -0.0512345678901, "vibrations": 36, "tolerance": 1e-11,
        "dielectric": {
            "electronic": [[1.9123 if i == j else 0.0 for j in range(3)] for i in range(3)],
            "vibrational": [[0.34567 if i == j else 0.0 for j in range(3)] for i in range(3)],
            "static": None, "from_input": None, "refractive_indices": [1.382859] * 3,
        },
        "frequencies_cm1": [
            [1, 3, 0.0], [4, 6, 71.2345], [7, 8, 79.5432], [9, 11, 103.1111], [12, 13, 118.2222], [14, 14, 121.3333],
            [15, 17, 143.4444],
            [18, 20, 155.5555], [21, 22, 655.6666], [23, 25, 658.7777], [26, 28, 667.8888], [29, 31, 1355.9999],
            [32, 32, 1362.1234],
            [33, 33, 2368.2345], [34, 36, 2401.3456],
        ],
    },
    "dimer-opt/main.out": COMPLETED | {
        "dimensionality": 0, "k_mesh": None, "gap_ev": 4.5678, "gap_kind": None, "gap_spin_ev": {"alpha": 5.8765, "beta": 4.5678},
        "geometry.primitive_cell": None, "geometry.count": 2, "geometry.optimized": True, "optimization.converged": True,
        "optimization.points": 4,
    },
    "molecule/main.out": COMPLETED | {
        "dimensionality": 0, "energy_scf": -225.123456789, "energy_total": -225.09876544209, "energy_kind": "DFT+DISP+GCP",
        "energy_dispersion": -0.0098765432101, "energy_gcp": 0.0345678901234, "geometry.count": 8, "gap_ev": 7.1698,
        "k_mesh": None,
    },
    "slab-opt/main.out": COMPLETED | SLAB | {
        "program": "CRYSTAL14", "points": 70, "frames": 70, "energy_scf": -3790.4756789, "energy_total": -3790.47867658,
        "optimization": {
            "enthalpy": None, "converged": True, "points": 70, "energy": -3790.47867658, "max_gradient": 3.1e-5,
            "rms_gradient": 3.1e-5,
            "max_displacement": 0.000102, "rms_displacement": 0.000102,
        },
    },
    "slab-scf/main.out": COMPLETED | SLAB | {
        "program": "CRYSTAL23", "scf": [(None, 18, CONVERGED)], "k_mesh": [8, 8, 1], "fermi_energy": 0.015300009,
    },
    "slab-testgeom/main.out": COMPLETED | SLAB | {
        "scf": [], "energy_scf": None, "k_mesh": None, "diagnosis": "Test run: the geometry was checked, nothing was computed.",
        "warnings": ["WARNING **** CRYSTA **** TESTGEOM DIRECTIVE - GEOMETRY EDITING COMPLETE"],
    },
    "tube/main.out": COMPLETED | {
        "dimensionality": 1, "geometry.primitive_cell": [2.48, 500.0, 500.0, 90.0, 90.0, 90.0], "geometry.count": 12,
        "gap_ev": None,
        "energy_total": -454.6789012345, "fermi_energy": None,
    },
    "elastic-failed/main.out": {
        "verdict": "failed", "diagnosis_code": "opt-scf-failed", "energy_total": -2385.8512345678, "geometry.count": 3,
        "errors": ["ERROR **** OPTGEOM **** SCF FAILED - OPTGEOM STOP"],
    },
    "preview-lih/scf.out": COMPLETED | {
        "program": "CrystalDeck preview engine", "preview": True, "title": "LiH", "hamiltonian": "HF", "scf_converged": True,
        "geometry.conventional_cell": [4.084, 4.084, 4.084, 90.0, 90.0, 90.0],
    },
    "preview-lih/bands.outp": COMPLETED | {"preview": True},
    "preview-lih/dos.outp": COMPLETED | {"preview": True},
    "preview-lih-opt/optimization.out": COMPLETED | {"preview": True, "optimization.converged": True, "optimization.points": 3},
}  # fmt: skip
"""File of the corpus → what it tells."""


def facts(reader: OutputReader) -> dict[str, Any]:
    """What was read, under the names used above."""
    results, series = asdict(reader.results()), reader.series
    geometry, optimization = results["geometry"] or {}, results["optimization"] or {}
    return {
        **results,
        **{f"geometry.{name}": value for name, value in geometry.items()},
        **{f"optimization.{name}": value for name, value in optimization.items()},
        **{f"elasticity.{name}": value for name, value in (results["elasticity"] or {}).items()},
        "geometry.count": len(geometry.get("atoms", ())),
        "scf": [(run.point, len(run.cycles), run.ended) for run in series.scf],
        "points": len(series.points), "frames": len(series.frames), "phonons": len(series.phonons),
        "vibrations": len(series.vibrations()),
        "tolerance": series.tolerance, "max_cycles": series.max_cycles,
    }  # fmt: skip
