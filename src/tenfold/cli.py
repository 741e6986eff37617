"""The command line. Nothing heavy is imported at the top: bad input is answered in a fraction of a second."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tenfold import __version__
from tenfold.errors import InputError, unknown
from tenfold.runner import executors, workbook
from tenfold.runner.parameters import SCALES, load, slugs
from tenfold.runner.progress import clock

if TYPE_CHECKING:
    from tenfold.runner.notebook import Report

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
CLUSTER_JOBS = 32
PLACES = {"TENFOLD_RESULTS", "TENFOLD_CACHE", "TENFOLD_MIRROR"}


class Parser(argparse.ArgumentParser):
    """argparse with one line for an error, and the nearest command for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments; `main` prints the line and exits with status 2."""
        raise InputError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 fine, 1 a notebook or check failed, 2 bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Kernels and workers start elsewhere: what is relative to here must not become relative to there.
    for name in PLACES & os.environ.keys():
        os.environ[name] = str(Path(os.environ[name]).resolve()) if os.environ[name] else ""
    try:
        command = arguments[0] if arguments else ""
        if command and not command.startswith("-") and command not in COMMANDS:
            raise unknown("command", command, COMMANDS)
        options = _parser(command).parse_args(arguments)
        return options.run(options)
    except InputError as error:
        print(f"tenfold: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever read our output has seen enough, as in `tenfold list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("\ntenfold: stopped; finished results and sweep points are kept", file=sys.stderr, flush=True)
        # Leaving at once ends the workers, which end their kernels; a polite exit would wait for them.
        os._exit(INTERRUPTED)


def _parser(command: str) -> Parser:
    """Build the parser; only the asked command's own arguments are declared, so only its room is imported."""
    parser = Parser(prog="tenfold", description="Regenerate the figures of ten papers and judge their claims.")
    parser.add_argument("--version", action="version", version=f"tenfold {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (help_text, declare) in COMMANDS.items():
        sub = commands.add_parser(name, help=help_text, description=help_text)
        if name == command:
            declare(sub)
    return parser


def _declare_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", nargs="?", help="show the parameters of this paper")
    parser.set_defaults(run=_list)


def _declare_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="papers to run (default: all)")
    _declare_choice(parser)
    parser.add_argument("--jobs", metavar="N", help="at once (default: number of cores; 32 on a cluster)")
    parser.add_argument("--executor", default="local", metavar="local|slurm", help="where notebooks and sweeps run")
    parser.add_argument("--force", action="store_true", help="run again, and compute cached calls again")
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.set_defaults(run=_run)


def _declare_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", default="laptop", metavar="|".join(SCALES), help="preset (default: laptop)")
    parser.add_argument("--seed", default="0", metavar="N", help="seed of every random choice (default: 0)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter")


def _declare_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="papers to explain (default: all)")
    _declare_choice(parser)
    parser.set_defaults(run=_why)


def _declare_claims(parser: argparse.ArgumentParser) -> None:
    from tenfold.book import command

    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _declare_data(parser: argparse.ArgumentParser) -> None:
    from tenfold.datasets import command

    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _declare_open(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", metavar="SLUG", help="paper to open")
    _declare_choice(parser)
    parser.add_argument("--prepare", action="store_true", help="write the prepared copy, start nothing")
    parser.add_argument("--handout", action="store_true", help="leave the solutions of the exercises out")
    parser.set_defaults(run=_open)


def _declare_doctor(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_doctor)


def _assignments(texts: Sequence[str]) -> dict[str, str]:
    """Return {name: value} from texts of the form name=value."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set needs NAME=VALUE, not '{text}'")
        pairs[name.strip()] = value.strip()
    return pairs


def _plans(options: argparse.Namespace) -> list[workbook.Plan]:
    chosen = options.slugs if "slugs" in options else [options.slug]
    return workbook.plans(chosen, options.scale, options.seed, _assignments(options.set))


def _list(options: argparse.Namespace) -> int:
    from tenfold import catalogue

    print(catalogue.parameters(load(options.slug)) if options.slug else catalogue.papers(slugs()))
    return OK


def _run(options: argparse.Namespace) -> int:
    if options.executor not in executors.KINDS:
        raise unknown("executor", options.executor, executors.KINDS)
    if options.offline:
        os.environ["TENFOLD_OFFLINE"] = "1"
    began = time.monotonic()
    plans = _plans(options)
    todo = [plan for plan in plans if options.force or not plan.current]
    settings = _settings(options, len(todo))
    for plan in plans:
        if plan not in todo:
            print(f"{plan.slug}: nothing changed, the result stands ({_shown(plan)})")
    failed = _make(todo, settings) if todo else []
    # A failed paper may have an older result: it is not what this run is about.
    _conclude([plan for plan in plans if plan.slug not in failed], options.scale)
    print(f"{len(plans) - len(todo)} unchanged, {len(todo) - len(failed)} made, {len(failed)} failed", end=" ")
    print(f"in {clock(time.monotonic() - began)}")
    return FAILED if failed else OK


def _settings(options: argparse.Namespace, notebooks: int) -> workbook.Settings:
    """Share the cores among the notebooks that run at once; on a cluster each notebook, and each point, has its own."""
    local = options.executor == "local"
    cores = executors.cores() if local else 1
    jobs = str(options.jobs or (cores if local else CLUSTER_JOBS))
    if not jobs.isdigit() or int(jobs) < 1:
        raise InputError(f"--jobs must be a whole number of at least 1, not '{jobs}'")
    together = max(1, min(int(jobs), notebooks))
    threads = max(1, cores // together)
    # Twice a notebook's share: the last one to finish would leave half of the cores idle otherwise, and a notebook that
    # waits or draws leaves its own.
    sweep = min(cores, 2 * threads) if local else int(jobs)
    return workbook.Settings(options.executor, together, threads, sweep, options.offline, options.force)


def _make(todo: Sequence[workbook.Plan], settings: workbook.Settings) -> list[str]:
    """Run what must be run, tell how each notebook ended, and return the papers that failed."""
    from tenfold.runner.display import Display

    expected = {plan.slug: plan.expected for plan in todo}
    for plan in todo:
        print(
            f"{plan.slug}: {plan.reasons[0] if plan.reasons else 'forced'}; about {clock(plan.expected)}",
            flush=True,
        )
    # Budgets are for a machine of one's own: notebooks that run at once here share its cores.
    together = settings.jobs if settings.executor == "local" else 1
    failed = []
    for report in workbook.run(todo, settings, lambda jobs: Display(jobs, expected)):
        if report.ok:
            print(f"{report.slug}: done in {clock(report.seconds)}{_slow(report, todo, together)}", flush=True)
        else:
            failed.append(report.slug)
            print(f"{report.slug}: FAILED in {report.cell}\n{_indented(report.error)}", flush=True)
    return failed


def _slow(report: Report, todo: Sequence[workbook.Plan], together: int) -> str:
    """Return a remark for a notebook that took longer than its budget, times the notebooks that ran at once."""
    parameters = next(plan.parameters for plan in todo if plan.slug == report.slug)
    budget = 60 * parameters.budget[parameters.scale].minutes * together
    beside = f" with {together} at once" if together > 1 else ""
    return f", SLOW: its budget is {clock(budget)}{beside}" if report.seconds > budget else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _conclude(plans: Sequence[workbook.Plan], scale: str) -> None:
    """Print the ledger and where the figures are."""
    if not plans:
        return
    from tenfold.book import command

    command.show([plan.slug for plan in plans], scale)
    for plan in plans:
        print(f"data of {plan.slug}: {_sources(plan)}")
        print(f"figures of {plan.slug}:")
        for path in sorted((plan.folder / "figures").glob("*.png")):
            print(f"  {_relative(path)}")


def _sources(plan: workbook.Plan) -> str:
    """Return which data a result was made from, and where they came from."""
    read = workbook.record(plan.folder).get("data", [])
    return ", ".join(dict.fromkeys(f"{item['name']} ({item['kind']})" for item in read))


def _shown(plan: workbook.Plan) -> str:
    return _relative(plan.folder)


def _relative(path: os.PathLike) -> str:
    return os.path.relpath(path)


def _why(options: argparse.Namespace) -> int:
    for plan in _plans(options):
        print(f"{plan.slug}: {'; '.join(plan.reasons) or 'nothing changed, it would not run'}")
    return OK


def _open(options: argparse.Namespace) -> int:
    (plan,) = _plans(options)
    from tenfold.runner import desk

    copy = desk.prepare(plan, options.handout)
    print(f"prepared {_relative(copy)}", flush=True)
    return OK if options.prepare else desk.launch(copy)


def _doctor(options: argparse.Namespace) -> int:
    from tenfold import doctor

    return OK if doctor.report() else FAILED


COMMANDS = {
    "list": ("papers, scales, minutes, last verdicts; with a paper: its parameters", _declare_list),
    "run": ("make what is not up to date", _declare_run),
    "why": ("what would be made again, and why", _declare_why),
    "claims": ("the ledger of claims and verdicts", _declare_claims),
    "data": ("data sets: list, fetch, verify", _declare_data),
    "open": ("a prepared copy of a notebook in JupyterLab", _declare_open),
    "doctor": ("environment, devices, data at hand", _declare_doctor),
}

if __name__ == "__main__":
    sys.exit(main())
