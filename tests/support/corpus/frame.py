"""Begin and end of an output: what a wrapper writes before it, the banner, the first and the last line, aborts."""

from __future__ import annotations

from tests.support.corpus.paper import Paper


def wrapper(paper: Paper, deck: str) -> None:
    """Scripts around the program print machine, paths and the deck before it begins."""
    paper.line(
        "date Thu  5 Mar 09:00:00 UTC 2026", "hostname nowhere", "user nobody", "output data in /nowhere/made-up.out",
        "crystal executable in /nowhere/bin", "temporary directory /nowhere/tmp",
    )  # fmt: skip
    paper.line(*deck.rstrip("\n").split("\n"))


def banner(paper: Paper, program: str = "CRYSTAL17", release: str = "0.0.1 - March 5th, 2026") -> None:
    """The box with name and release; which authors stand in it nobody reads."""
    paper.line("         ")
    paper.rule()
    for text in ("", program, f"public : {release}", "NOTHING IN THIS OUTPUT WAS COMPUTED", ""):
        paper.boxed(text)
    paper.rule()


def started(paper: Paper, title: str) -> None:
    paper.line(f" EEEEEEEEEE STARTING  {paper.time()}", f" {title:<80}", "")


def ended(paper: Paper) -> None:
    paper.stage("END")
    paper.line(f" EEEEEEEEEE TERMINATION  {paper.time()}")


def aborted(paper: Paper, words: str) -> None:
    """The program's last words, and what MPI adds."""
    paper.line(f" ERROR **** {words}")
    paper.stage("ERR", 2.0)
    paper.line("application called MPI_Abort(MPI_COMM_WORLD, 1) - process 0")


def tidied(paper: Paper) -> None:
    """What the wrapper prints when the program has ended."""
    paper.line(
        "Thu  5 Mar 09:00:09 UTC 2026", "Contents of temporary directory:", "total 24",
        "-rw-r--r-- 1 nobody nobody   19432 Mar  5 09:00 fort.9", "temporary directory /nowhere/tmp removed",
    )  # fmt: skip
