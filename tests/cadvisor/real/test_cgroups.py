"""Every number of a cgroup moves as it should, against an independent reading of what its processes did."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.cadvisor.real.cgroups import OwnCgroup, is_v2
from tests.cadvisor.real.view import View, total
from tests.process_tree import wait_for

MIB = 1 << 20


def told(process: subprocess.Popen[bytes]) -> bytes:
    """The next line that a program of ours prints."""
    assert process.stdout
    return process.stdout.readline().strip()


def test_cpu_with_a_quota(cgroup: OwnCgroup, view: View) -> None:
    """A loop that may have 20 ms of every 100 ms: its CPU time is what the process itself was charged, within a tick or
    two, and periods are throttled."""
    cgroup.set("cpu", ("cpu.cfs_quota_us", 20000), ("cpu.max", "20000 100000"))
    # So many shares that a busy machine gives it its 20 ms as well.
    cgroup.set_top("cpu", ("cpu.shares", 16384), ("cpu.weight", 1600))
    cgroup.set("cpu", ("cpu.shares", 512), ("cpu.weight", 100))
    burner = cgroup.python("import os\nprint(flush=True)\nwhile True: os.getppid()")
    told(burner)
    started = time.monotonic()

    def charged() -> float:
        times = psutil.Process(burner.pid).cpu_times()
        return times.user + times.system

    # The process runs on while the view is read, on a busy machine for long: its own count is read before and after that.
    first, before, second = charged(), view.of(cgroup.id), charged()
    time.sleep(4)
    third, after, fourth = charged(), view.of(cgroup.id), charged()

    def moved(family: str) -> float:
        return total(after, family) - total(before, family)

    assert third - second > 0.2
    # Ticks are 10 ms.
    assert (third - second) * 0.9 - 0.06 <= moved("container_cpu_usage_seconds_total") <= (fourth - first) * 1.1 + 0.06
    both = moved("container_cpu_user_seconds_total") + moved("container_cpu_system_seconds_total")
    assert both == pytest.approx(moved("container_cpu_usage_seconds_total"), rel=0.1, abs=0.06)
    periods = moved("container_cpu_cfs_periods_total")
    assert 10 <= periods <= 10 * (time.monotonic() - started) + 2
    # A busy machine may not give it its 20 ms in each period all the same.
    assert periods * 0.2 <= moved("container_cpu_cfs_throttled_periods_total") <= periods
    assert moved("container_cpu_cfs_throttled_seconds_total") > 0.1
    assert after[("container_spec_cpu_quota",)] == 20000
    assert after[("container_spec_cpu_period",)] == 100000
    assert after[("container_spec_cpu_shares",)] == (2597 if is_v2("cpu") else 512)
    if is_v2("pressure"):
        assert total(after, "container_pressure_cpu_waiting_seconds_total") > 0.1


def test_no_quota_no_throttling(cgroup: OwnCgroup, view: View) -> None:
    """Without a quota there is neither a quota nor a period that could be throttled: absent, not 0."""
    cgroup.start(["sleep", "100"])
    families = {key[0] for key in view.of(cgroup.id)}
    assert "container_cpu_usage_seconds_total" in families
    assert "container_spec_cpu_quota" not in families
    assert not {name for name in families if name.startswith("container_cpu_cfs")}


def test_memory(cgroup: OwnCgroup, view: View) -> None:
    """64 MiB of anonymous memory: in usage, working set and rss, and gone from them when given back; the peak stays."""
    cgroup.set("memory", ("memory.limit_in_bytes", 256 * MIB), ("memory.max", 256 * MIB))
    holder = cgroup.python(f"""if True:
        import mmap, sys
        held = mmap.mmap(-1, {64 * MIB}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        held.write(b"x" * {64 * MIB})
        print(flush=True)
        sys.stdin.readline()
        held.close()
        print(flush=True)
        sys.stdin.readline()""")
    told(holder)
    full = view.of(cgroup.id)
    own = psutil.Process(holder.pid).memory_full_info()
    for family in ("container_memory_usage_bytes", "container_memory_working_set_bytes", "container_memory_rss"):
        assert 64 * MIB <= total(full, family) <= 160 * MIB
    # Only the kernel's per-CPU batches (some hundred KiB) stand between the two.
    assert total(full, "container_memory_rss") == pytest.approx(own.uss, abs=12 * MIB)
    assert total(full, "container_memory_failures_total") > 0
    assert full[("container_spec_memory_limit_bytes",)] == 256 * MIB
    assert holder.stdin
    holder.stdin.write(b"\n")
    holder.stdin.flush()
    told(holder)
    wait_for(
        "the memory to be given back",
        lambda: total(view.of(cgroup.id), "container_memory_rss") < total(full, "container_memory_rss") - 60 * MIB,
        20,
        0.5,
    )
    empty = view.of(cgroup.id)
    assert total(empty, "container_memory_usage_bytes") < total(full, "container_memory_usage_bytes") - 60 * MIB
    if ("container_memory_max_usage_bytes",) in empty:  # v2 has it from 5.19 on
        assert total(empty, "container_memory_max_usage_bytes") >= total(full, "container_memory_usage_bytes") - MIB


def test_page_cache(cgroup: OwnCgroup, view: View, tmp_path: Path) -> None:
    """16 MiB of a file that were read are cache, and no part of the working set once they are inactive."""
    file = (Path("/disk") if Path("/disk").is_dir() else tmp_path) / f"cache-{os.getpid()}"
    try:
        writer = cgroup.python(f"""if True:
            import os, sys
            with open({str(file)!r}, "wb") as file:
                file.write(bytes({16 * MIB}))
                file.flush()
                os.fsync(file.fileno())
            print(flush=True)
            sys.stdin.readline()""")
        told(writer)
        samples = view.of(cgroup.id)
        assert 15 * MIB <= total(samples, "container_memory_cache") <= 64 * MIB
        inactive = total(samples, "container_memory_total_inactive_file_bytes")
        assert inactive >= 8 * MIB
        usage, working_set = total(samples, "container_memory_usage_bytes"), total(samples, "container_memory_working_set_bytes")
        assert usage - working_set == pytest.approx(inactive, abs=2 * MIB)
    finally:
        file.unlink(missing_ok=True)


def test_out_of_memory(cgroup: OwnCgroup, view: View) -> None:
    """A process killed for want of memory is counted once, and still is when the container has ended of it, as long as
    its pod is there."""
    cgroup.set("memory", ("memory.limit_in_bytes", 24 * MIB), ("memory.max", 24 * MIB))
    cgroup.set("memory", None, ("memory.swap.max", 0))
    before = view.of(cgroup.id)
    assert total(before, "container_oom_events_total") == 0
    hog = cgroup.python("held = []\nwhile True: held.append(bytearray(b'x') * (1 << 20))")
    assert hog.wait(60) == -9
    after = view.of(cgroup.id)
    assert total(after, "container_oom_events_total") == 1
    if is_v2("memory"):
        assert total(after, "container_memory_events_max_total") >= 1
    cgroup.end_container()
    assert total(view.of(cgroup.id), "container_oom_events_total") == 1
    cgroup.end()
    assert not view.of(cgroup.id)


def test_disk(cgroup: OwnCgroup, view: View, tmp_path: Path) -> None:
    """16 MiB written to a disk and synced are 16 MiB of writes of that device, of which the file system adds little."""
    folder = Path("/disk") if Path("/disk").is_dir() else tmp_path
    number = os.stat(folder).st_dev
    device = (str(os.major(number)), str(os.minor(number)))
    if not is_v2("blkio"):
        # v1 accounts to cgroups only where a rule of the throttling layer holds: give it one that never slows down.
        rule = f"{':'.join(device)} {1 << 40}"
        for name in ("blkio.throttle.write_bps_device", "blkio.throttle.read_bps_device"):
            cgroup.set("blkio", (name, rule))
    file = folder / f"disk-{os.getpid()}"
    try:
        writer = cgroup.python(f"""if True:
            import mmap, os
            size = {16 * MIB}
            fd = os.open({str(file)!r}, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
            block = mmap.mmap(-1, 1 << 20)
            for _ in range(16): os.write(fd, block)
            os.fsync(fd)
            for offset in range(0, size, 1 << 20): os.preadv(fd, [block], offset)
            print(flush=True)
            input()""")
        told(writer)
        samples = view.of(cgroup.id)

        def usage(operation: str) -> float:
            names = ("container_blkio_device_usage_total", (*device, operation))
            return sum(value for key, value in samples.items() if (key[0], key[2:]) == names)

        assert 16 * MIB <= usage("Write") <= 20 * MIB
        assert 16 * MIB <= usage("Read") <= 20 * MIB
        assert 16 * MIB <= total(samples, "container_fs_writes_bytes_total") <= 40 * MIB
        assert total(samples, "container_fs_reads_bytes_total") >= 16 * MIB
        assert total(samples, "container_fs_writes_total") >= 16
        assert all(key[1] for key in samples if key[0].startswith("container_fs_")), "a device without a name"
    finally:
        file.unlink(missing_ok=True)


def test_threads(cgroup: OwnCgroup, view: View) -> None:
    """Threads and their limit as psutil counts them, those of inner cgroups included."""
    cgroup.set("pids", ("pids.max", 50), ("pids.max", 50))
    workers = cgroup.python("""if True:
        import sys, threading
        stop = threading.Event()
        threads = [threading.Thread(target=stop.wait, daemon=True) for _ in range(7)]
        for thread in threads: thread.start()
        print(flush=True)
        sys.stdin.readline()""")
    told(workers)
    samples = view.of(cgroup.id)
    assert total(samples, "container_threads") == psutil.Process(workers.pid).num_threads() == 8
    assert total(samples, "container_threads_max") == 50
    pod = view.of(cgroup.pod)
    assert total(pod, "container_threads") == 8
    assert total(pod, "container_threads_max") == 0


def test_start_time(cgroup: OwnCgroup, view: View) -> None:
    """The container started when its first process did, and was seen just now."""
    sleeper = cgroup.start(["sleep", "100"])
    began, samples = time.time(), view.of(cgroup.id)
    assert total(samples, "container_start_time_seconds") == pytest.approx(psutil.Process(sleeper.pid).create_time(), abs=2)
    assert began - 1 <= total(samples, "container_last_seen") <= time.time() + 1


def test_cgroup_that_ends(cgroup: OwnCgroup, view: View) -> None:
    """With the cgroup its series go at the next pass, and nothing of it is an error."""
    cgroup.start(["sleep", "100"])
    assert total(view.of(cgroup.id), "container_threads") == 1
    cgroup.end()
    assert not view.of(cgroup.id)
    # EACCES comes from processes of the node that even root may not inspect.
    assert set(view.errors) <= {"EACCES", "EPERM"}


def test_the_node_itself(view: View) -> None:
    """The root: memory and CPU as the kernel tells them elsewhere."""
    samples = view.of("/")
    assert total(samples, "container_spec_memory_limit_bytes") == psutil.virtual_memory().total
    busy = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert total(samples, "container_cpu_usage_seconds_total") > busy
    assert 0 < total(samples, "container_memory_working_set_bytes") < psutil.virtual_memory().total
