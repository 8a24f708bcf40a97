"""`python -m edge_agent.worker`: a job and orders come in as JSON lines, reports go out.

When the input ends, whoever gave the orders is gone: the stream ends at once. Logs go to stderr.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import BinaryIO

import structlog
from pydantic import ValidationError

from edge_agent.errors import SettingsError
from edge_agent.logs import configure_logs
from edge_agent.worker.job import ORDER, Job
from edge_agent.worker.report import WorkerReport
from edge_agent.worker.worker import Worker

REPORT_S, CHANGE_S = 1.0, 0.1
GOODBYE_S = 20.0

log = structlog.get_logger()


def main() -> int:
    configure_logs("json")
    orders: BinaryIO = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a number
    reports: BinaryIO = open(os.dup(1), "wb", buffering=0)  # noqa: SIM115, PTH123
    os.dup2(2, 1)  # nothing else gets between the reports
    try:
        job = Job.model_validate_json(orders.readline())
    except ValidationError as problem:
        log.error("bad_job", where=_where(problem))
        return SettingsError.exit_code
    worker = Worker(job)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who gives the orders
    threading.Thread(target=_listen, args=(orders, worker), name="orders", daemon=True).start()
    over = threading.Event()
    telling = threading.Thread(target=_tell, args=(reports, worker, over), name="reports")
    telling.start()
    try:
        return worker.run()
    finally:
        over.set()
        telling.join()


def _listen(orders: BinaryIO, worker: Worker) -> None:
    while line := orders.readline():
        try:
            order = ORDER.validate_json(line)
        except ValidationError as problem:
            log.error("bad_order", where=_where(problem))
            continue
        worker.obey(order)
    worker.stop()
    time.sleep(GOODBYE_S)  # a stream that does not end by itself is ended
    os._exit(1)


def _tell(reports: BinaryIO, worker: Worker, over: threading.Event) -> None:
    """Report each change, and each second; once more at the end."""
    told: WorkerReport | None = None
    told_at = 0.0
    last = False
    while not last:
        last = over.wait(CHANGE_S)
        report = worker.report()
        changed = told is None or _lasting(report) != _lasting(told)
        if not (changed or last) and time.monotonic() - told_at < REPORT_S:
            continue
        told, told_at = report, time.monotonic()
        try:
            reports.write(report.model_dump_json().encode() + b"\n")
        except OSError:
            worker.stop()
            return


def _lasting(report: WorkerReport) -> WorkerReport:
    """Without what is different each time."""
    return report.model_copy(update={"counts": None, "delay": 0.0, "trial": None})


def _where(problem: ValidationError) -> str:
    """The fields at fault; never their values, which may be keys."""
    places = (".".join(map(str, error["loc"])) or "the line" for error in problem.errors())
    return ", ".join(places)


if __name__ == "__main__":
    sys.exit(main())
