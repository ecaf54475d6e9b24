"""The agent: `python -m telegen.supervisor`, or `telegen run`. Parses the command line and runs the supervisor."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from telegen.config import Config, ConfigError, not_effective
from telegen.config.flags import flag_warnings, ignored_flags
from telegen.config.variables import service_variables
from telegen.kubestate.checks import notes
from telegen.process.logs import configure
from telegen.process.os_process import BootFailure, Exit
from telegen.supervisor.configuration import load_all, print_check
from telegen.supervisor.limits import check_limits
from telegen.supervisor.run_options import RUN, RunOptions, parse_run_options
from telegen.supervisor.supervisor import Supervisor, run_with_pidfile

log = logging.getLogger("telegen.supervisor")


def _page(config: Config) -> str:
    """Return the URL of the agent on this machine; empty if it does not listen."""
    address = config.kube_metrics.listen_address
    if not address:
        return ""
    host = f"[{address.host}]" if ":" in address.host else address.host or "localhost"
    return f"http://{host}:{address.port}/"


def main(argv: Sequence[str] | None = None, program: str = RUN) -> int:
    """Run the agent, or the adapter; return the exit status (see `Exit`)."""
    options = parse_run_options(argv, program=program)
    try:
        return _run(options)
    except ConfigError as error:
        return _fail(error, Exit.CONFIG)
    except BootFailure as error:
        return _fail(error, error.status)


def _fail(error: Exception, status: Exit) -> Exit:
    print("\n".join(f"telegen: {line}" for line in str(error).splitlines()), file=sys.stderr)
    return status


def _run(options: RunOptions) -> int:
    """Check the configuration or serve.

    Raises:
        ConfigError: the configuration is invalid.
        BootFailure: the agent cannot start.
    """
    loaded = load_all(options.source)
    config = loaded.config
    configure("supervisor", config.log.level, config.log.format)
    if options.check:
        print(options.role.make_plan(config, options.source.environ, None).reason)
        print_check(loaded)
        return Exit.OK
    with _simulated_cluster(options, config) as url:
        plan = options.role.make_plan(config, options.source.environ, url)
        check_limits(plan, config)
        for line in [*ignored_flags(options.source.flags), *notes(config)]:
            log.info(line)
        for line in [*flag_warnings(options.source.flags), *loaded.warnings]:
            log.warning("%s", line)
        ignored = service_variables(options.source.environ)
        if ignored:
            log.warning("variables of a Service set nothing: %s; enableServiceLinks: false removes them", ", ".join(ignored))
        for path in not_effective(config):
            log.warning("%s: accepted for compatibility, without effect", path)
        supervisor = Supervisor(config, plan, options.source, loaded.custom, url, options.role)
        return run_with_pidfile(supervisor, config.supervisor.pidfile)


@contextmanager
def _simulated_cluster(options: RunOptions, config: Config) -> Iterator[str | None]:
    """Run the simulated API server of --demo in a process of its own; yield its URL, None without --demo."""
    if not options.demo:
        yield None
        return
    # Imported here because the code of the simulated server would otherwise take memory in every agent.
    from telegen.demo.process import DemoProcess

    demo = DemoProcess.start(options.demo_pods, options.demo_rate, _page(config))
    try:
        yield demo.url
    finally:
        demo.stop()


if __name__ == "__main__":
    sys.exit(main())
