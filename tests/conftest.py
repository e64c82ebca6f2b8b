"""On CI a skipped test counts as a failure: what is optional for users is installed there."""

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("CI")
        and reporter
        and reporter.stats.get("skipped")
        and not hasattr(session.config, "workerinput")
    ):
        reporter.write_line("On CI nothing may be skipped.", red=True)
        session.exitstatus = 1
