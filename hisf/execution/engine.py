"""Other processes that compute tiles: of this machine, or of a cluster through dask.

What is sent to a worker is the task, once, and then boxes; what comes back is what the task makes of a box. Every
engine is used as a `concurrent.futures.Executor`.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from hisf.data.box import Box
from hisf.errors import HisfError, InputError, PluginError
from hisf.settings import Settings

log = logging.getLogger(__name__)

LOCAL, DASK, SLURM, PBS = "local", "dask", "slurm", "pbs"
IN_FLIGHT = 2  # boxes per worker that are computed or wait for it
ATTEMPTS = 3  # at a box whose worker is lost
PATIENCE = "10s"  # with a scheduler that does not answer
JOB_OPTIONS = {"queue", "account", "walltime", "cores", "memory", "interface", "local_directory"}

Task = Callable[[Box], Any]
Submit = Callable[[Box], Future[Any]]
Opening = Callable[[bytes], AbstractContextManager[Submit]]


class LostWorkerError(HisfError):
    """The workers that compute a tile are lost again and again."""


class Workers:
    """Processes that compute tiles.

    Parameters
    ----------
    opening : callable
        ``opening(pickled task)`` is a context manager; its value sends a box to a worker. Opened anew after a loss.
    number : int
        Of workers.
    """

    def __init__(self, opening: Opening, number: int) -> None:
        self._opening = opening
        self.number = number

    def map_tiles(self, task: Task, boxes: Iterable[Box]) -> Iterator[tuple[Box, Any]]:
        """Yield ``(box, task(box))`` for every box, each once, in the order in which they are ready.

        A box whose worker is lost is computed again, the last time with no other beside it, so that the one at fault
        is known. Few boxes are on their way at a time, however many there are.

        Parameters
        ----------
        task : callable
            Sent to every worker once.
        boxes : iterable of Box

        Raises
        ------
        PluginError
            The task cannot be sent to another process.
        LostWorkerError
            `ATTEMPTS` workers were lost with one box.
        """
        pickled, waiting, again, lost = _pickled(task), iter(boxes), list[Box](), Counter[Box]()
        while True:
            broken: list[Box] = []
            with self._opening(pickled) as submit:
                flying: dict[Future[Any], Box] = {}
                while True:
                    suspected = any(lost[box] == ATTEMPTS - 1 for box in again)
                    room = 0 if broken else 1 if suspected else IN_FLIGHT * self.number
                    while len(flying) < room:
                        box = again.pop() if again else next(waiting, None)
                        if box is None:
                            break
                        flying[_sent(submit, box)] = box
                    if not flying:
                        break
                    for future in wait(flying, return_when=FIRST_COMPLETED).done:
                        box = flying.pop(future)
                        try:
                            answer = future.result()
                        except BrokenExecutor:
                            broken.append(box)
                        else:
                            yield box, answer
            if not broken:
                return
            lost.update(broken)
            again += broken
            box, times = lost.most_common(1)[0]
            if times >= ATTEMPTS:
                raise LostWorkerError(_sentence(box, times))
            log.warning("A worker was lost; %d tiles are computed again.", len(again))


@contextmanager
def open_workers(settings: Settings, memory: int, threads: int) -> Iterator[Workers | None]:
    """Start the workers that the settings ask for; the value is None where this process computes all tiles.

    Parameters
    ----------
    settings : Settings
        ``pipeline.workers``, ``pipeline.engine``, ``pipeline.engineOptions``.
    memory : int
        Bytes for each worker.
    threads : int
        Of all workers of this machine together.

    Raises
    ------
    InputError
        An engine that is not known, is not installed or cannot be reached.
    """
    number, engine = settings["pipeline.workers"], settings["pipeline.engine"].strip()
    each = max(1, threads // max(1, number))
    with ExitStack() as stack:
        if engine == LOCAL:
            yield Workers(_processes(number, each), number) if number > 1 else None
            return
        client = stack.enter_context(_client(settings, engine, max(1, number), each, memory))
        client.wait_for_workers(1)
        yield Workers(_submitting(client, each), max(1, number, len(client.scheduler_info()["workers"])))


def job_script(settings: Settings) -> str:
    """Return the script of the batch job that starts one worker under SLURM or PBS."""
    with _batch_cluster(settings, settings["pipeline.engine"].strip()) as cluster:
        return str(cluster.job_script())


def _pickled(task: Task) -> bytes:
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise PluginError(
            f"Workers cannot be sent what they are to do ({error}); a plugin must lie in a module that can be imported "
            "and keep nothing that cannot be pickled. Set pipeline.workers = 0 to run without workers."
        ) from None


def _sent(submit: Submit, box: Box) -> Future[Any]:
    """Return the future of a box, a failed one where the engine is broken already."""
    try:
        return submit(box)
    except BrokenExecutor as error:
        future: Future[Any] = Future()
        future.set_exception(error)
        return future


def _sentence(box: Box, times: int) -> str:
    return (
        f"{times} workers were lost with the tile x {box.x0} to {box.x1 - 1}, y {box.y0} to {box.y1 - 1}, channels "
        f"{box.z0} to {box.z1 - 1}; they may lack memory: set pipeline.memory lower or start fewer."
    )


def _processes(number: int, threads: int) -> Opening:
    @contextmanager
    def opening(task: bytes) -> Iterator[Submit]:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        pool = ProcessPoolExecutor(number, context, _begin, (task, threads))
        try:
            yield lambda box: pool.submit(_compute, box)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    return opening


def _submitting(client: Any, threads: int) -> Opening:
    from distributed import KilledWorker

    @contextmanager
    def opening(task: bytes) -> Iterator[Submit]:
        key = uuid.uuid4().hex
        given = client.submit(bytes, task, pure=False)  # a result, which dask makes again when it is lost
        with client.get_executor(pure=False) as executor:

            def submit(box: Box) -> Future[Any]:
                sent: Future[Any] = executor.submit(_compute_given, key, given, threads, box)
                answer: Future[Any] = Future()

                def arrived(future: Future[Any]) -> None:
                    error = future.exception()
                    if error is None:
                        answer.set_result(future.result())
                    elif isinstance(error, KilledWorker):
                        answer.set_exception(BrokenExecutor(str(error)))
                    else:
                        answer.set_exception(error)

                sent.add_done_callback(arrived)
                return answer

            yield submit

    return opening


@contextmanager
def _client(settings: Settings, engine: str, number: int, threads: int, memory: int) -> Iterator[Any]:
    """Connect with a dask scheduler, starting it where it is not an address."""
    distributed = _import("distributed")
    _import("dask").config.set({"distributed.scheduler.allowed-failures": 0})
    with ExitStack() as stack:
        if "://" in engine:
            try:
                yield stack.enter_context(distributed.Client(engine, timeout=PATIENCE))
            except OSError as error:
                raise InputError(f"No dask scheduler answers at pipeline.engine = {engine} ({error}).") from None
            return
        if engine == DASK:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="hisf-dask-"))
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=number, threads_per_worker=1, memory_limit=None if memory <= 0 else memory,
                    dashboard_address=None, local_directory=place, silence_logs=logging.ERROR,
                )
            )  # fmt: skip
        else:
            cluster = stack.enter_context(_batch_cluster(settings, engine))
            cluster.scale(jobs=number)
        yield stack.enter_context(distributed.Client(cluster))


@contextmanager
def _batch_cluster(settings: Settings, engine: str) -> Iterator[Any]:
    jobqueue = _import("dask_jobqueue")
    kind = {SLURM: jobqueue.SLURMCluster, PBS: jobqueue.PBSCluster}.get(engine)
    if kind is None:
        raise InputError(
            f"pipeline.engine = {engine} ({settings.origin('pipeline.engine')}) is not known; it is local, dask, "
            "slurm, pbs, or the address of a dask scheduler such as tcp://host:8786."
        )
    options = {"cores": 1, "memory": "4GB"} | _options(settings)
    with kind(**options, processes=1, scheduler_options={"dashboard_address": None}) as cluster:
        yield cluster


def _options(settings: Settings) -> dict[str, Any]:
    text = settings["pipeline.engineOptions"]
    found: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, is_given, value = (p.strip() for p in part.partition("="))
        if not is_given or not value or name not in JOB_OPTIONS:
            raise InputError(
                f"pipeline.engineOptions = {text} ({settings.origin('pipeline.engineOptions')}): {part} is not one of "
                f"the options name = value of a batch job; names are {', '.join(sorted(JOB_OPTIONS))}, separated by ;."
            )
        found[name] = int(value) if name == "cores" and value.isdigit() else value
    return found


def _import(name: str) -> Any:
    from importlib import import_module

    interrupt = signal.getsignal(signal.SIGINT)
    try:
        return import_module(name)
    except ImportError:
        raise InputError(
            f"pipeline.engine needs the package {name.replace('_', '-')}, which is not installed; "
            "pip install 'hisf[dask]' installs it, and pipeline.engine = local does without."
        ) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)  # dask_jobqueue makes it an exit without an error


_tasks: dict[str, Task] = {}  # of this worker, the last one alone


def _begin(task: bytes, threads: int, key: str = "") -> None:
    from hisf.execution.machine import set_threads

    set_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # which torch reads when the task imports it
    _tasks.clear()
    _tasks[key] = pickle.loads(task)  # sent by the run that this process works for


def _compute(box: Box) -> Any:
    return _tasks[""](box)


def _compute_given(key: str, task: bytes, threads: int, box: Box) -> Any:
    if key not in _tasks:
        _begin(task, threads, key)
    return _tasks[key](box)
