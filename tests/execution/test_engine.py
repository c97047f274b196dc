"""Workers: of this machine, of dask, of a batch system; and what happens when they are lost."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from hisf.data.box import Box
from hisf.errors import InputError, PluginError
from hisf.execution.engine import ATTEMPTS, LostWorkerError, job_script, open_workers
from hisf.settings import load_settings

BOXES = [Box(z, z + 1, 0, 2, 0, 3) for z in range(12)]


class Sizes:
    """A task: the channel of a box and the process that computed it."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def __call__(self, box):
        time.sleep(self.seconds)
        return np.array([box.z0, os.getpid()])


class DiesOnce(Sizes):
    """A task whose worker is killed at one box, the first time."""

    def __init__(self, marker):
        super().__init__(0.02)
        self.marker = marker

    def __call__(self, box):
        if box.z0 == 5 and not self.marker.exists():
            self.marker.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(box)


class DiesAlways(Sizes):
    def __call__(self, box):
        if box.z0 == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(box)


class Raises(Sizes):
    def __call__(self, box):
        raise InputError(f"channel {box.z0} is wrong")


def results(task, *arguments, boxes=BOXES):
    """Return (channels, processes) of what workers answer, in the order of the answers."""
    settings = load_settings([f"pipeline.{argument}" for argument in arguments])
    with open_workers(settings, 1 << 30, 2) as workers:
        answers = list(workers.map_tiles(task, boxes))
    assert all(box.z0 == answer[0] for box, answer in answers)
    return [int(answer[0]) for _, answer in answers], {int(answer[1]) for _, answer in answers}


ENGINES = [("workers=2",), ("workers=2", "engine=dask")]


@pytest.mark.parametrize("engine", ENGINES, ids=["local", "dask"])
class TestBothEngines:
    def test_every_box_once_in_other_processes(self, engine):
        channels, processes = results(Sizes(0.05), *engine)
        assert sorted(channels) == list(range(12))
        assert os.getpid() not in processes
        assert len(processes) == 2

    def test_killed_worker_is_replaced(self, engine, tmp_path):
        marker = tmp_path / "died"
        channels, _ = results(DiesOnce(marker), *engine)
        assert marker.exists()
        assert sorted(channels) == list(range(12))

    def test_box_that_kills_every_worker(self, engine):
        with pytest.raises(LostWorkerError, match=rf"{ATTEMPTS} workers were lost with the tile .*channels 5 to 5"):
            results(DiesAlways(), *engine)

    def test_error_of_a_task_is_raised_here(self, engine):
        with pytest.raises(InputError, match="channel 0 is wrong"):
            results(Raises(), *engine, boxes=BOXES[:1])

    def test_nothing_to_do(self, engine):
        assert results(Sizes(), *engine, boxes=[]) == ([], set())

    def test_task_that_cannot_be_sent(self, engine):
        with pytest.raises(PluginError, match=r"pipeline\.workers = 0"):
            results(lambda box: box, *engine)


def test_no_workers_by_default():
    for given in ([], ["pipeline.workers=1"]):
        with open_workers(load_settings(given), 1 << 30, 2) as workers:
            assert workers is None


def test_few_boxes_are_on_their_way():
    taken, answered = [], 0

    def boxes():
        for box in BOXES:
            taken.append(box)
            yield box

    with open_workers(load_settings(["pipeline.workers=2"]), 1 << 30, 2) as workers:
        for _ in workers.map_tiles(Sizes(0.01), boxes()):
            answered += 1
            assert len(taken) - answered <= 5


def test_worker_of_a_running_scheduler_is_killed():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        threading.Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()
        channels, processes = results(Sizes(0.15), f"engine={cluster.scheduler_address}")
        assert sorted(channels) == list(range(12))
        assert len(processes) >= 2


def test_slurm_job():
    script = job_script(
        load_settings(
            [
                "pipeline.engine=slurm",
                "pipeline.engineOptions=queue = main; account = hi; walltime = 02:30:00; memory = 8GB; cores = 4",
            ]
        )
    )
    for line in ("#SBATCH -p main", "#SBATCH -A hi", "#SBATCH -t 02:30:00", "#SBATCH --cpus-per-task=4"):
        assert line in script
    assert "#SBATCH --mem=8G" in script
    assert "distributed.cli.dask_worker" in script
    assert "--memory-limit 7.45GiB" in script


def test_pbs_job():
    script = job_script(load_settings(["pipeline.engine=pbs", "pipeline.engineOptions=queue=long;memory=2GB"]))
    assert "#PBS -q long" in script
    assert "#PBS -l select=1:ncpus=1:mem=1908MB" in script


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["engine=cloud"], r"pipeline\.engine = cloud .* is not known; it is local, dask, slurm, pbs"),
        (["engine=slurm", "engineOptions=queue"], r"pipeline\.engineOptions = queue .*: queue is not one of"),
        (["engine=slurm", "engineOptions=shell=sh"], "shell=sh is not one of"),
        (["engine=tcp://127.0.0.1:9"], r"No dask scheduler answers at pipeline\.engine = tcp://127\.0\.0\.1:9"),
    ],
)
def test_engine_that_is_not_there(arguments, sentence, monkeypatch):
    monkeypatch.setattr("hisf.execution.engine.PATIENCE", "1s")
    with pytest.raises(InputError, match=sentence):
        results(Sizes(), *arguments)


def test_dask_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"distributed, which is not installed; pip install 'hisf\[dask\]'"):
        results(Sizes(), "engine=dask")


def test_batch_clusters_leave_the_interrupt_alone():
    before = signal.getsignal(signal.SIGINT)
    sys.modules.pop("dask_jobqueue.runner", None)  # which sets a handler when it is imported
    sys.modules.pop("dask_jobqueue", None)
    job_script(load_settings(["pipeline.engine=slurm", "pipeline.workers=2"]))
    assert signal.getsignal(signal.SIGINT) is before
